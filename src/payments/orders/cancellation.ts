import { recordAudit, type Author } from "../../audit/audit.ts";
import type { Transaction } from "../../db/db.ts";
import { AppError } from "../../errors.ts";
import { decideWaiting, type Jobs } from "../../jobs/jobs.ts";
import { checkoutSubject, countStatuses, lockKnownOrder, orderSubject } from "./action-orders.ts";
import type { OrderRow } from "../model/model.ts";
import { hasOpenAttempt, requestVoids } from "./operation-requests.ts";
import {
  lockOrdersOfCheckout,
  moveOrder,
  selectCheckout,
  selectOrdersOfCheckouts,
} from "../store/queries.ts";

/**
 * Cancels an order: at once if no PSP is working on it, otherwise by a void at the PSP. Errors: `not_found`,
 * `state_conflict`.
 */
export async function cancelOrder(
  tx: Transaction,
  jobs: Jobs,
  paymentOrderId: string,
  by: Author,
): Promise<{ order: OrderRow; is_under_way: boolean }> {
  const order = await lockKnownOrder(tx, paymentOrderId);
  const isAtOnce = await isIdle(tx, order);
  if (!isAtOnce && !mayBeVoided(order)) throw cannotCancel(order);
  if (await sharesPage(tx, order)) {
    throw new AppError(
      "state_conflict",
      "The order is paid on one page with others: cancel the whole checkout.",
    );
  }
  const audit = (after: { status: string; is_under_way: boolean }): Promise<void> =>
    recordAudit(tx, {
      ...by,
      action: "payment_order.cancel",
      ...orderSubject(paymentOrderId),
      before: { status: order.status },
      after,
      reason: null,
    });
  if (isAtOnce) {
    const moved = await moveOrder(tx, {
      payment_order_id: paymentOrderId,
      status: "CANCELED",
      cause: "canceled",
      actor: by.actor,
    });
    await closeLetters(tx, [moved], by);
    await audit({ status: moved.status, is_under_way: false });
    return { order: moved, is_under_way: false };
  }
  if ((await requestVoids(tx, { jobs }, [order], by.actor)).length === 0) throw cannotCancel(order);
  await audit({ status: order.status, is_under_way: true });
  return { order, is_under_way: true };
}

/** Errors: `not_found`, `state_conflict` when no order of it can be canceled. */
export async function cancelCheckout(
  tx: Transaction,
  jobs: Jobs,
  checkoutId: string,
  by: Author,
): Promise<{ orders: readonly OrderRow[]; is_under_way: boolean }> {
  const orders = await lockOrdersOfCheckout(tx, checkoutId);
  if (orders.length === 0)
    throw new AppError("not_found", `There is no checkout ${checkoutId}.`, { param: "checkout_id" });
  const moved: OrderRow[] = [];
  for (const order of orders) {
    if (await isIdle(tx, order))
      moved.push(
        await moveOrder(tx, {
          payment_order_id: order.payment_order_id,
          status: "CANCELED",
          cause: "canceled",
          actor: by.actor,
        }),
      );
  }
  await closeLetters(tx, moved, by);
  const attempts = await requestVoids(
    tx,
    { jobs },
    orders.filter(
      (order) => mayBeVoided(order) && !moved.some((one) => one.payment_order_id === order.payment_order_id),
    ),
    by.actor,
    { skips_captures: true },
  );
  if (moved.length === 0 && attempts.length === 0)
    throw new AppError("state_conflict", "No order of this checkout can be canceled.");
  const after = await selectOrdersOfCheckouts(tx, [checkoutId]);
  await recordAudit(tx, {
    ...by,
    action: "checkout.cancel",
    ...checkoutSubject(checkoutId),
    before: { statuses: countStatuses(orders) },
    after: { statuses: countStatuses(after), is_under_way: attempts.length > 0 },
    reason: null,
  });
  return { orders: after, is_under_way: attempts.length > 0 };
}

const cannotCancel = ({ status }: OrderRow): AppError =>
  new AppError("state_conflict", `An order that is ${status} cannot be canceled.`);

/** A page charges the orders of its checkout together, now or after their review. */
async function sharesPage(tx: Transaction, { checkout_id, payment_order_id }: OrderRow): Promise<boolean> {
  if ((await selectCheckout(tx, checkout_id))?.hosted_page === null) return false;
  const others = (await selectOrdersOfCheckouts(tx, [checkout_id])).filter(
    (other) => other.payment_order_id !== payment_order_id,
  );
  return others.some(({ status }) => status !== "SUCCESS" && status !== "CANCELED");
}

/** Dead letters about the work of a canceled order need no person any more. */
const closeLetters = (tx: Transaction, orders: readonly OrderRow[], { actor }: Author): Promise<void> =>
  decideWaiting(
    tx,
    { queue: "payment_execute", subject_ids: orders.map((order) => order.payment_order_id) },
    { state: "discarded", actor, note: "The order was canceled." },
  );

/** Whether no PSP is working on it. */
async function isIdle(tx: Transaction, order: OrderRow): Promise<boolean> {
  return (
    order.status === "NOT_STARTED" ||
    order.status === "RETRY_SCHEDULED" ||
    (order.status === "PENDING" && !(await hasOpenAttempt(tx, order)))
  );
}

const mayBeVoided = ({ status }: OrderRow): boolean => status === "AUTHORIZED" || status === "PENDING";
