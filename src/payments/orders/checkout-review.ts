import { recordAudit, type Author } from "../../audit/audit.ts";
import type { Transaction } from "../../db/db.ts";
import { AppError } from "../../errors.ts";
import type { Jobs } from "../../jobs/jobs.ts";
import { checkoutSubject, countStatuses, execute } from "./action-orders.ts";
import type { OrderRow } from "../model/model.ts";
import { lockOrdersOfCheckout, moveOrder } from "../store/queries.ts";

/**
 * Decides the orders of a checkout that the risk rules hold for review. Errors: `not_found`,
 * `state_conflict`.
 */
export async function reviewCheckout(
  tx: Transaction,
  jobs: Jobs,
  checkoutId: string,
  decision: "approve" | "reject",
  by: Author,
): Promise<readonly OrderRow[]> {
  const orders = await lockOrdersOfCheckout(tx, checkoutId);
  if (orders.length === 0) throw new AppError("not_found", `There is no checkout ${checkoutId}.`);
  const held = orders.filter((order) => order.status === "PENDING" && order.status_cause === "risk_review");
  if (held.length === 0)
    throw new AppError("state_conflict", "No order of this checkout waits for a review.");
  const moved: OrderRow[] = [];
  for (const { payment_order_id } of held) {
    moved.push(
      await moveOrder(
        tx,
        decision === "approve"
          ? { payment_order_id, status: "EXECUTING", cause: "review_approved", actor: by.actor }
          : { payment_order_id, status: "CANCELED", cause: "review_rejected", actor: by.actor },
      ),
    );
  }
  await recordAudit(tx, {
    ...by,
    action: `checkout.${decision}`,
    ...checkoutSubject(checkoutId),
    before: { statuses: countStatuses(held) },
    after: { statuses: countStatuses(moved) },
    reason: null,
  });
  if (decision === "approve") await execute(tx, jobs, moved);
  return moved;
}
