/** Orders as the actions need them: locked, queued for execution, and named in the audit log. */
import type { Transaction } from "../../db/db.ts";
import { AppError } from "../../errors.ts";
import type { Jobs } from "../../jobs/jobs.ts";
import type { OrderRow } from "../model/model.ts";
import { lockOrder } from "../store/queries.ts";

export async function lockKnownOrder(tx: Transaction, paymentOrderId: string): Promise<OrderRow> {
  const order = await lockOrder(tx, paymentOrderId);
  if (order === undefined) throw new AppError("not_found", `There is no payment order ${paymentOrderId}.`);
  return order;
}

/** Queues orders for their next attempt or inquiry. */
export const execute = (tx: Transaction, jobs: Jobs, orders: readonly OrderRow[]): Promise<void> =>
  jobs.enqueue(
    tx,
    "payment_execute",
    orders.map((order) => ({ data: { payment_order_id: order.payment_order_id } })),
  );

export const orderSubject = (payment_order_id: string) => ({
  subject_type: "payment_order",
  subject_id: payment_order_id,
});
export const checkoutSubject = (checkout_id: string) => ({
  subject_type: "checkout",
  subject_id: checkout_id,
});

/** Counts orders by state: a list of a hundred orders with long ids would not fit into the audit log. */
export function countStatuses(orders: readonly OrderRow[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { status } of orders) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}
