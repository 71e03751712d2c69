import { recordAudit, type Author } from "../../audit/audit.ts";
import type { Transaction } from "../../db/db.ts";
import { AppError } from "../../errors.ts";
import { decideWaiting, type Jobs } from "../../jobs/jobs.ts";
import { execute, lockKnownOrder, orderSubject } from "./action-orders.ts";
import { assertNothingTaken } from "./discrepancies.ts";
import type { OrderRow } from "../model/model.ts";
import { moveOrder, selectCheckout } from "../store/queries.ts";

/** A new attempt for a failed order. Errors: `not_found`, `state_conflict`. */
export async function retryOrder(
  tx: Transaction,
  jobs: Jobs,
  options: { readonly retries_max: number },
  paymentOrderId: string,
  by: Author,
  card_token?: string,
): Promise<OrderRow> {
  const order = await lockKnownOrder(tx, paymentOrderId);
  if (order.status !== "FAILED")
    throw new AppError("state_conflict", `Only a FAILED order can be retried; this one is ${order.status}.`);
  if (order.retry_count >= options.retries_max) {
    throw new AppError(
      "state_conflict",
      `The order was already retried ${order.retry_count} times, which is the limit.`,
    );
  }
  if (card_token !== undefined && (await selectCheckout(tx, order.checkout_id))?.credit_card_info === null) {
    throw new AppError("state_conflict", "This checkout is not paid with a card token.", {
      param: "card_token",
    });
  }
  await assertNothingTaken(tx, order);
  const moved = await moveOrder(tx, {
    payment_order_id: paymentOrderId,
    status: "EXECUTING",
    cause: "manual_retry",
    actor: by.actor,
    is_retry: true,
    ...(card_token === undefined ? {} : { card_token }),
  });
  await decideWaiting(
    tx,
    { queue: "payment_execute", subject_ids: [paymentOrderId] },
    { state: "redriven", actor: by.actor, note: "The order was retried." },
  );
  await recordAudit(tx, {
    ...by,
    action: "payment_order.retry",
    ...orderSubject(paymentOrderId),
    before: { status: order.status, retry_count: order.retry_count },
    after: { status: moved.status, retry_count: moved.retry_count, has_new_card: card_token !== undefined },
    reason: null,
  });
  await execute(tx, jobs, [moved]);
  return moved;
}
