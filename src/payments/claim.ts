import { now } from "../clock.ts";
import type { Timestamp, Transaction } from "../db/db.ts";
import { newId } from "../ids.ts";
import type { Job, Jobs } from "../jobs/jobs.ts";
import { toCurrencyCode } from "../money/money.ts";
import type { PspRouter, RoutingFacts } from "../psp/psp.ts";
import type { AttemptRow, OrderRow } from "./model.ts";
import { pageOf } from "./page-draft.ts";
import type { Task, WayToPay } from "./psp-call.ts";
import { selectOrdersOfCheckouts } from "./queries.ts";
import { lockForExecution, openAttempts, takeUpAttempts, type ExecutableRow, type NewAttempt, type TakenAttempt } from "./settlement-queries.ts";

/** Who starts an attempt, in an order's history. */
export const executor_actor = "executor";

type Parts = {
  readonly jobs: Jobs; readonly router: PspRouter; readonly page_seconds: number;
  readonly lease_seconds: number; readonly unknown_quiet_seconds: number;
};

/** Group commit 2: claimed jobs, their attempts with the PSP key, and the orders in EXECUTING. */
export async function claimTasks(tx: Transaction, parts: Parts, count: number): Promise<{ claimed_count: number; tasks: readonly Task[] }> {
  const { jobs, router } = parts;
  const claimed = await jobs.claim(tx, "payment_execute", count);
  if (claimed.length === 0) return { claimed_count: 0, tasks: [] };
  const jobOf = new Map(claimed.map((job) => [job.data.payment_order_id, job]));
  const orders = await lockForExecution(tx, [...jobOf.keys()]);
  const checkouts = await selectHosted(tx, orders);
  const opened = orders.filter(mayStart).flatMap((order): NewAttempt[] => {
    const { payment_order_id, checkout_id, amount_minor, currency, capture_method } = order;
    if (order.hosted_page === null) {
      const psp = router.choose(factsOf(order), order.tried_psps ?? []);
      return [newAttempt({ payment_order_id, checkout_id, amount_minor, currency, capture_method, page_expires_at: null }, order.attempt_count + 1, psp)];
    }
    // One page for the whole checkout, opened by the first of its orders.
    if (orders.find((other) => other.checkout_id === checkout_id) !== order) return [];
    const total_minor = (checkouts.get(checkout_id) ?? []).reduce((sum, one) => sum + one.amount_minor, 0n);
    const psp = router.chooseForPage(factsOf({ ...order, amount_minor: total_minor })) ?? missingPages(checkout_id);
    return [newAttempt({ payment_order_id: null, checkout_id, amount_minor: total_minor, currency, capture_method, page_expires_at: pageEnd(parts.page_seconds) }, 1, psp)];
  });
  await openAttempts(tx, opened, executor_actor);
  const openIds = [...new Set(orders.flatMap((order) => order.open_attempt_id ?? []))];
  const open = openIds.length === 0 ? [] : (await takeUpAttempts(tx, openIds, router.keySeconds(), parts.unknown_quiet_seconds))
    // What a person has said of an attempt is settled without another call.
    .filter((attempt) => attempt.resolved_as === null);

  const taskOf = (attempt: TakenAttempt | NewAttempt, hold: Pick<Task, "turn" | "epoch" | "sent_between">): Task[] => {
    const { payment_order_id, checkout_id } = attempt;
    const order = orders.find((one) => (payment_order_id === null ? one.checkout_id === checkout_id : one.payment_order_id === payment_order_id));
    const job: Job<"payment_execute"> | undefined = order === undefined ? undefined : jobOf.get(order.payment_order_id);
    if (order === undefined || job === undefined) return [];
    return [{ payment_order_id, job, attempt, ...hold, way_to_pay: wayToPay(order, checkouts, attempt) }];
  };
  const tasks = [
    ...opened.flatMap((attempt) => taskOf(attempt, first_hold)),
    ...open.flatMap((attempt) => taskOf(attempt, holdOf(attempt, parts.lease_seconds))),
  ];
  // Jobs of orders that are final, wait for a person, or stand twice in the batch have nothing to do.
  const busy = new Set(tasks.map((task) => task.job));
  await jobs.complete(tx, "payment_execute", claimed.filter((job) => !busy.has(job)));
  return { claimed_count: claimed.length, tasks };
}

/** Of an attempt that this process has just opened. */
export const first_hold = { turn: "first_send", epoch: 1 } as const;

/** Of an attempt that was taken up again: its last request was sent within a lease. */
function holdOf({ turn, epoch, created_at, sent_at }: TakenAttempt, lease_seconds: number): Pick<Task, "turn" | "epoch" | "sent_between"> {
  if (turn !== "ask_for_proof") return { turn, epoch };
  return { turn, epoch, sent_between: { first: new Date(created_at), last: new Date(new Date(sent_at).getTime() + lease_seconds * 1_000) } };
}

/** What the routing rules look at. */
function factsOf({ payment_order_id, amount_minor, currency, card_country }: Pick<ExecutableRow, "payment_order_id" | "amount_minor" | "currency" | "card_country">): RoutingFacts {
  return { payment_order_id, money: { amount_minor, currency: toCurrencyCode(currency) }, card_country };
}

function missingPages(checkoutId: string): never {
  throw new Error(`no PSP that the routing rules allow has a page for the checkout ${checkoutId}`);
}

/** All orders of the checkouts that are paid on a page. */
async function selectHosted(tx: Transaction, orders: readonly ExecutableRow[]): Promise<ReadonlyMap<string, readonly OrderRow[]>> {
  const ids = [...new Set(orders.filter((order) => order.hosted_page !== null).map((order) => order.checkout_id))];
  return ids.length === 0 ? new Map() : Map.groupBy(await selectOrdersOfCheckouts(tx, ids), (order) => order.checkout_id);
}

function wayToPay(order: ExecutableRow, checkouts: ReadonlyMap<string, readonly OrderRow[]>, attempt: AttemptRow | NewAttempt): WayToPay {
  if (order.hosted_page !== null) return pageOf(order.hosted_page, checkouts.get(order.checkout_id) ?? [], attempt);
  if (order.card_token === null) throw new Error(`the checkout ${order.checkout_id} has no way to pay`);
  return { card_token: order.card_token, capture_method: order.capture_method, return_url: order.return_url };
}

/** An order without an open attempt whose next step is a charge. */
const mayStart = (order: ExecutableRow): boolean =>
  order.open_attempt_id === null && (order.status === "NOT_STARTED" || order.status === "RETRY_SCHEDULED" || order.status === "EXECUTING");

/** Until when a page opened now takes a card. */
export const pageEnd = (page_seconds: number): Timestamp => new Date(now().getTime() + page_seconds * 1_000).toISOString();

/** A logical charge that is about to be: its id is its key at the PSP. Without an order it covers the whole checkout. */
export function newAttempt(
  charged: Pick<NewAttempt, "payment_order_id" | "checkout_id" | "amount_minor" | "currency" | "capture_method" | "page_expires_at">, attempt_number: number, psp: string,
): NewAttempt {
  const attempt_id = newId("att");
  return { attempt_id, ...charged, attempt_number, psp, psp_key: attempt_id, psp_reference: null, page_token: null };
}
