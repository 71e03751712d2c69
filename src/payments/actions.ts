import type { Transaction } from "../db/db.ts";
import { AppError } from "../errors.ts";
import { decide, decideWaiting, type DeadLetterRow, type Jobs } from "../jobs/jobs.ts";
import type { OrderRow } from "./model.ts";
import { lockOrder, lockOrdersOfCheckout, moveOrder, selectEvent } from "./queries.ts";
import { selectOpenAttempts } from "./settlement-queries.ts";

/** What a person may do with an order. Each runs in the caller's transaction, with the order locked. */
export type Actions = {
  /** `card_token`: another card than the checkout's. */
  retry(tx: Transaction, paymentOrderId: string, actor: string, card_token?: string): Promise<OrderRow>;
  cancel(tx: Transaction, paymentOrderId: string, actor: string): Promise<OrderRow>;
  review(tx: Transaction, checkoutId: string, decision: "approve" | "reject", actor: string): Promise<readonly OrderRow[]>;
  redrive(tx: Transaction, deadLetterId: string, actor: string, note: string | null): Promise<DeadLetterRow>;
  discard(tx: Transaction, deadLetterId: string, actor: string, note: string): Promise<DeadLetterRow>;
};

export function createActions(jobs: Jobs, options: { retries_max: number }): Actions {
  const execute = (tx: Transaction, orders: readonly OrderRow[]): Promise<void> =>
    jobs.enqueue(tx, "payment_execute", orders.map((order) => ({ data: { payment_order_id: order.payment_order_id } })));

  return {
    /** A new attempt for a failed order. Errors: `not_found`, `state_conflict`. */
    async retry(tx, paymentOrderId, actor, card_token) {
      const order = await lockKnownOrder(tx, paymentOrderId);
      if (order.status !== "FAILED") throw new AppError("state_conflict", `Only a FAILED order can be retried; this one is ${order.status}.`);
      if (order.retry_count >= options.retries_max) {
        throw new AppError("state_conflict", `The order was retried ${order.retry_count} times already, the most allowed.`);
      }
      if (card_token !== undefined && (await selectEvent(tx, order.checkout_id))?.hosted_page !== null) {
        throw new AppError("state_conflict", "This checkout is paid on the PSP's page, not with a card token.", { param: "card_token" });
      }
      const moved = await moveOrder(tx, {
        payment_order_id: paymentOrderId, status: "EXECUTING", cause: "manual_retry", actor, is_retry: true, ...(card_token === undefined ? {} : { card_token }),
      });
      await decideWaiting(tx, { queue: "payment_execute", subject_id: paymentOrderId }, { state: "redriven", actor, note: "The order was retried." });
      await execute(tx, [moved]);
      return moved;
    },

    /** Ends an order that no PSP works on. Errors: `not_found`, `state_conflict`. */
    async cancel(tx, paymentOrderId, actor) {
      const order = await lockKnownOrder(tx, paymentOrderId);
      const isIdle = order.status === "NOT_STARTED" || order.status === "RETRY_SCHEDULED" || (order.status === "PENDING" && !(await hasOpenAttempt(tx, order)));
      if (!isIdle) throw new AppError("state_conflict", `An order that is ${order.status} cannot be canceled.`);
      return moveOrder(tx, { payment_order_id: paymentOrderId, status: "CANCELED", cause: "canceled", actor });
    },

    /** Decides the orders of a checkout that the risk rules hold for review. Errors: `not_found`, `state_conflict`. */
    async review(tx, checkoutId, decision, actor) {
      const orders = await lockOrdersOfCheckout(tx, checkoutId);
      if (orders.length === 0) throw new AppError("not_found", `There is no checkout ${checkoutId}.`);
      const held = orders.filter((order) => order.status === "PENDING" && order.status_cause === "risk_review");
      if (held.length === 0) throw new AppError("state_conflict", "No order of this checkout waits for a review.");
      const moved: OrderRow[] = [];
      for (const { payment_order_id } of held) {
        moved.push(await moveOrder(tx, decision === "approve"
          ? { payment_order_id, status: "EXECUTING", cause: "review_approved", actor }
          : { payment_order_id, status: "CANCELED", cause: "review_rejected", actor }));
      }
      if (decision === "approve") await execute(tx, moved);
      return moved;
    },

    /** Takes given-up work up again: a failed order gets a new attempt, an unknown one is asked about. */
    async redrive(tx, deadLetterId, actor, note) {
      const letter = await decide(tx, deadLetterId, { state: "redriven", actor, note });
      if (letter.queue === "webhook_apply") {
        const { message_ids } = letter.payload as { message_ids?: readonly string[] };
        await jobs.enqueue(tx, "webhook_apply", [{ data: { message_ids: message_ids ?? [] } }]);
        return letter;
      }
      const order = await lockKnownOrder(tx, letter.subject_id);
      if (order.status === "FAILED") {
        await moveOrder(tx, { payment_order_id: order.payment_order_id, status: "EXECUTING", cause: "redrive", actor, is_retry: true });
      }
      await execute(tx, [order]);
      return letter;
    },

    discard: (tx, deadLetterId, actor, note) => decide(tx, deadLetterId, { state: "discarded", actor, note }),
  };
}

async function lockKnownOrder(tx: Transaction, paymentOrderId: string): Promise<OrderRow> {
  const order = await lockOrder(tx, paymentOrderId);
  if (order === undefined) throw new AppError("not_found", `There is no payment order ${paymentOrderId}.`);
  return order;
}

async function hasOpenAttempt(tx: Transaction, order: OrderRow): Promise<boolean> {
  return (await selectOpenAttempts(tx, [order.payment_order_id])).length > 0;
}
