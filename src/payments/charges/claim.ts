import type { Clock } from "../../clock.ts";
import type { Timestamp, Transaction } from "../../db/db.ts";
import { newId } from "../../ids.ts";
import type { Job, Jobs } from "../../jobs/jobs.ts";
import { toCurrencyCode } from "../../money/money.ts";
import type { PspRouter, RoutingFacts } from "../../psp/psp.ts";
import { executor_actor, type AttemptRow, type OrderRow } from "../model/model.ts";
import { pageOf } from "./page-draft.ts";
import type { ChargeTask, PaymentMethod } from "./psp-call.ts";
import { failOrders, selectOrdersOfCheckouts } from "../store/queries.ts";
import {
  lockForExecution,
  openAttempts,
  takeUpAttempts,
  type ExecutableRow,
  type NewAttempt,
  type TakenAttempt,
} from "../store/attempt-queries.ts";

type Parts = {
  readonly jobs: Jobs;
  readonly router: PspRouter;
  readonly clock: Clock;
  readonly page_seconds: number;
  readonly lease_seconds: number;
  readonly unknown_quiet_seconds: number;
};

/** The next step for an order: a new attempt, or the reason why none can begin for these orders. */
type Start = { readonly order: ExecutableRow } & (
  | { readonly attempt: NewAttempt }
  | { readonly orders: readonly OrderRow[]; readonly obstacle: string }
);

/** Group commit 2: claimed jobs, their attempts with the PSP key, and the orders in EXECUTING. */
export async function openTasks(
  tx: Transaction,
  parts: Parts,
  claimed: readonly Job<"payment_execute">[],
): Promise<readonly ChargeTask[]> {
  const { jobs, router } = parts;
  const jobOf = new Map(claimed.map((job) => [job.data.payment_order_id, job]));
  const orders = await lockForExecution(tx, [...jobOf.keys()]);
  const checkouts = await selectHosted(tx, orders);
  const starting = orders.filter(mayStart);
  const starts = starting.flatMap((order): Start[] => {
    const { payment_order_id, checkout_id, amount_minor, currency, capture_method } = order;
    if (order.hosted_page === null) {
      const psp = order.external_psp ?? router.choose(factsOf(order), order.tried_psps ?? []);
      const charged = {
        payment_order_id,
        checkout_id,
        amount_minor,
        currency,
        capture_method,
        page_expires_at: null,
      };
      return [{ order, attempt: newAttempt(charged, order.attempt_count + 1, psp) }];
    }
    // One page for the whole checkout, opened by the first of its orders.
    const isFirst = starting.find((other) => other.checkout_id === checkout_id) === order;
    return isFirst ? [startPage(parts, order, checkouts.get(checkout_id) ?? [])] : [];
  });
  const opened = starts.flatMap((start) => ("attempt" in start ? start.attempt : []));
  await openAttempts(tx, opened, executor_actor);
  const openIds = [...new Set(orders.flatMap((order) => order.open_attempt_id ?? []))];
  const open =
    openIds.length === 0
      ? []
      : await takeUpAttempts(tx, openIds, router.keySeconds(), parts.unknown_quiet_seconds);

  const taskOf = (attempt: TakenAttempt | NewAttempt, hold: Hold): ChargeTask[] => {
    const { payment_order_id, checkout_id } = attempt;
    const order = orders.find((one) =>
      payment_order_id === null ? one.checkout_id === checkout_id : one.payment_order_id === payment_order_id,
    );
    const job: Job<"payment_execute"> | undefined =
      order === undefined ? undefined : jobOf.get(order.payment_order_id);
    if (order === undefined || job === undefined) return [];
    return [
      {
        payment_order_id,
        job,
        attempt,
        ...hold,
        payment_method: paymentMethodOf(parts.clock, order, checkouts, attempt, hold.turn === "first_send"),
      },
    ];
  };
  const tasks = [
    ...opened.flatMap((attempt) => taskOf(attempt, first_hold)),
    ...open.flatMap((attempt) => taskOf(attempt, holdOf(attempt, parts.lease_seconds))),
  ];
  // Jobs of orders that are final, wait for a person, or appear twice in the batch have nothing to do.
  const busy = new Set(tasks.map((task) => task.job));
  const known = new Set<string>(orders.map((order) => order.payment_order_id));
  await endIdle(
    tx,
    jobs,
    claimed.filter((job) => !busy.has(job)),
    known,
    starts,
  );
  return tasks;
}

/**
 * The page of a checkout charges its orders that have not ended. The routing may have changed since the
 * checkout was accepted.
 */
function startPage(
  { router, clock, page_seconds }: Parts,
  order: ExecutableRow,
  orders: readonly OrderRow[],
): Start {
  const { checkout_id, currency, capture_method } = order;
  const left = orders.filter(hasNotEnded);
  const amount_minor = left.reduce((sum, one) => sum + one.amount_minor, 0n);
  const psp = router.chooseForPage(factsOf({ ...order, amount_minor }));
  if (psp === undefined) {
    const obstacle =
      `PSP_ROUTING allows no PSP account with hosted pages for the checkout ${checkout_id}. ` +
      "Change it, then redrive this.";
    return { order, orders: left, obstacle };
  }
  const charged = {
    payment_order_id: null,
    checkout_id,
    amount_minor,
    currency,
    capture_method,
    page_expires_at: pageEnd(clock.now(), page_seconds),
  };
  return { order, attempt: newAttempt(charged, order.attempt_count + 1, psp) };
}

/**
 * Ends jobs that call no PSP: most have nothing to do. If an order cannot start or does not exist, a dead
 * letter says so.
 */
async function endIdle(
  tx: Transaction,
  jobs: Jobs,
  idle: readonly Job<"payment_execute">[],
  known: ReadonlySet<string>,
  starts: readonly Start[],
): Promise<void> {
  const jobsOf = (isMeant: (id: string) => boolean): typeof idle =>
    idle.filter(({ data }) => isMeant(data.payment_order_id));
  const obstacles = new Map<string, string>();
  for (const start of starts) {
    if ("attempt" in start) continue;
    const { order, orders, obstacle } = start;
    obstacles.set(order.payment_order_id, obstacle);
    const stopped = orders.filter(({ status }) => status === "EXECUTING" || status === "RETRY_SCHEDULED");
    const failure = { cause: "no_psp", actor: executor_actor, message: obstacle } as const;
    await failOrders(
      tx,
      stopped.map(({ payment_order_id }) => payment_order_id),
      failure,
    );
    await jobs.abandon(
      tx,
      "payment_execute",
      jobsOf((id) => id === order.payment_order_id),
      obstacle,
    );
  }
  await jobs.abandon(
    tx,
    "payment_execute",
    jobsOf((id) => !known.has(id)),
    "There is no such payment order.",
  );
  await jobs.complete(
    tx,
    "payment_execute",
    jobsOf((id) => known.has(id) && !obstacles.has(id)),
  );
}

/** What this process may do about an attempt that it has taken up, and in which epoch. */
type Hold = Pick<ChargeTask, "turn" | "epoch" | "sent_between" | "has_discrepancy">;

/** Of an attempt that this process has just opened. */
export const first_hold = { turn: "first_send", epoch: 1, has_discrepancy: false } as const;

/** Of an attempt that was taken up again: its last request was sent within a lease. */
function holdOf(
  { turn, epoch, created_at, sent_at, has_discrepancy }: TakenAttempt,
  lease_seconds: number,
): Hold {
  if (turn !== "ask_for_proof") return { turn, epoch, has_discrepancy };
  const last = new Date(new Date(sent_at).getTime() + lease_seconds * 1_000);
  return { turn, epoch, has_discrepancy, sent_between: { first: new Date(created_at), last } };
}

/** What the routing rules look at. */
function factsOf({
  payment_order_id,
  amount_minor,
  currency,
  card_country,
}: Pick<ExecutableRow, "payment_order_id" | "amount_minor" | "currency" | "card_country">): RoutingFacts {
  return { payment_order_id, money: { amount_minor, currency: toCurrencyCode(currency) }, card_country };
}

/** All orders of the checkouts that are paid on a page; they are locked already. */
async function selectHosted(
  tx: Transaction,
  orders: readonly ExecutableRow[],
): Promise<ReadonlyMap<string, readonly OrderRow[]>> {
  const ids = [
    ...new Set(orders.filter((order) => order.hosted_page !== null).map((order) => order.checkout_id)),
  ];
  if (ids.length === 0) return new Map();
  return Map.groupBy(await selectOrdersOfCheckouts(tx, ids), (order) => order.checkout_id);
}

function paymentMethodOf(
  clock: Clock,
  order: ExecutableRow,
  checkouts: ReadonlyMap<string, readonly OrderRow[]>,
  attempt: AttemptRow | NewAttempt,
  is_new: boolean,
): PaymentMethod {
  if (order.hosted_page !== null) {
    const isLine = (one: OrderRow): boolean =>
      is_new ? hasNotEnded(one) : one.attempt_id === attempt.attempt_id;
    const lines = (checkouts.get(order.checkout_id) ?? []).filter(isLine);
    return pageOf(order.hosted_page, lines, attempt, clock);
  }
  if (order.external_psp !== null) return "external";
  if (order.card_token === null) throw new Error(`the checkout ${order.checkout_id} has no way to pay`);
  return { card_token: order.card_token, capture_method: order.capture_method, return_url: order.return_url };
}

/**
 * An order without an open attempt whose next step is a charge. With an open discrepancy the buyer may have
 * paid already: the order stays as it is until a person discards the dead letter.
 */
const mayStart = (order: ExecutableRow): boolean =>
  order.open_attempt_id === null &&
  !order.has_discrepancy &&
  (order.status === "NOT_STARTED" || order.status === "RETRY_SCHEDULED" || order.status === "EXECUTING");

/** `payments_open_attempts` takes the same orders along to a page. */
const hasNotEnded = ({ status }: OrderRow): boolean =>
  status !== "AUTHORIZED" && status !== "SUCCESS" && status !== "CANCELED";

/** Until when a page opened at `at` takes a card. */
export const pageEnd = (at: Date, page_seconds: number): Timestamp =>
  new Date(at.getTime() + page_seconds * 1_000).toISOString();

/**
 * A new attempt, not stored yet; its id is its key at the PSP. Without an order it covers the whole checkout.
 */
export function newAttempt(
  charged: Pick<
    NewAttempt,
    "payment_order_id" | "checkout_id" | "amount_minor" | "currency" | "capture_method" | "page_expires_at"
  >,
  attempt_number: number,
  psp: string,
): NewAttempt {
  const attempt_id = newId("att");
  return {
    attempt_id,
    ...charged,
    attempt_number,
    psp,
    psp_key: attempt_id,
    psp_reference: null,
    page_token: null,
  };
}
