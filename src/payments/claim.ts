import { now } from "../clock.ts";
import type { Transaction } from "../db/db.ts";
import { newId } from "../ids.ts";
import type { Jobs } from "../jobs/jobs.ts";
import type { PspRouter } from "../psp/psp.ts";
import type { AttemptRow, OrderRow } from "./model.ts";
import type { Task } from "./psp-call.ts";
import { lockForExecution, openAttempts, selectAttemptsById, type ExecutableRow, type NewAttempt } from "./settlement-queries.ts";

/** Who starts an attempt, in an order's history. */
export const executor_actor = "executor";

/** Group commit 2: claimed jobs, their attempts with the PSP key, and the orders in EXECUTING. */
export async function claimTasks(
  tx: Transaction, { jobs, router }: { jobs: Jobs; router: PspRouter }, count: number,
): Promise<{ claimed_count: number; tasks: readonly Task[] }> {
  const claimed = await jobs.claim(tx, "payment_execute", count);
  if (claimed.length === 0) return { claimed_count: 0, tasks: [] };
  const jobOf = new Map(claimed.map((job) => [job.data.payment_order_id, job]));
  const orders = await lockForExecution(tx, [...jobOf.keys()]);
  const opened = orders.filter(mayStart).map((order) => newAttempt(order, order.attempt_count + 1, router.choose()));
  await openAttempts(tx, opened, executor_actor);
  const openIds = orders.flatMap((order) => order.open_attempt_id ?? []);
  const open = openIds.length === 0 ? [] : await selectAttemptsById(tx, openIds);

  const tokens = new Map(orders.map((order) => [order.payment_order_id, order.card_token]));
  const taskOf = (attempt: AttemptRow | NewAttempt, opened_at: Date, is_first_send: boolean): Task[] => {
    const { payment_order_id } = attempt;
    const job = payment_order_id === null ? undefined : jobOf.get(payment_order_id);
    const card_token = payment_order_id === null ? undefined : tokens.get(payment_order_id);
    if (payment_order_id === null || job === undefined || card_token === undefined) return [];
    return [{ payment_order_id, job, attempt, opened_at, card_token, is_first_send }];
  };
  const tasks = [
    ...opened.flatMap((attempt) => taskOf(attempt, now(), true)),
    ...open.flatMap((attempt) => taskOf(attempt, new Date(attempt.created_at), false)),
  ];
  // Jobs of orders that are final, wait for a person, or stand twice in the batch have nothing to do.
  const busy = new Set(tasks.map((task) => task.job));
  await jobs.complete(tx, "payment_execute", claimed.filter((job) => !busy.has(job)));
  return { claimed_count: claimed.length, tasks };
}

/** An order without an open attempt whose next step is a charge. */
const mayStart = (order: ExecutableRow): boolean =>
  order.open_attempt_id === null && (order.status === "NOT_STARTED" || order.status === "RETRY_SCHEDULED" || order.status === "EXECUTING");

/** A logical charge that is about to be: its id is its key at the PSP. */
export function newAttempt(
  order: Pick<OrderRow, "payment_order_id" | "checkout_id" | "amount_minor" | "currency">, attempt_number: number, psp: string,
): NewAttempt {
  const { payment_order_id, checkout_id, amount_minor, currency } = order;
  const attempt_id = newId("att");
  return { attempt_id, checkout_id, payment_order_id, amount_minor, currency, attempt_number, psp, psp_key: attempt_id, psp_reference: null };
}
