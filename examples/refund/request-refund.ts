import type { Transaction } from "../../src/db/db.ts";
import { AppError } from "../../src/errors.ts";
import { newId, type OperationId } from "../../src/ids.ts";
import type { Jobs } from "../../src/jobs/jobs.ts";
import { postAll } from "../../src/ledger/ledger.ts";
import type { OrderRow } from "../../src/payments/payments.ts";
import { reservationPosting } from "./refund-postings.ts";
import { insertRefund, selectRefundedMinor } from "./refund-queries.ts";

/**
 * Asks for a refund of a locked order: reserves the money, stores the operation and queues it, in one transaction.
 * Errors: `state_conflict`.
 */
export async function requestRefund(
  tx: Transaction,
  { jobs }: { readonly jobs: Jobs },
  order: OrderRow & { readonly psp: string },
  amount_minor: bigint,
  actor: string,
): Promise<OperationId> {
  const { payment_order_id, status } = order;
  if (status !== "SUCCESS")
    throw new AppError("state_conflict", `Only a SUCCESS order can be refunded; this one is ${status}.`);
  const rest_minor = order.captured_minor - (await selectRefundedMinor(tx, payment_order_id));
  if (amount_minor > rest_minor)
    throw new AppError("state_conflict", `Only ${rest_minor} minor units of the order are left to refund.`);
  const operation_id = newId("op");
  const [reservation] = await postAll(tx, [reservationPosting({ ...order, operation_id, amount_minor })]);
  if (reservation?.outcome !== "posted")
    throw new AppError("state_conflict", "The seller has less money pending than the refund needs.");
  await insertRefund(tx, { operation_id, payment_order_id, amount_minor, created_by: actor });
  await jobs.enqueue(tx, "operation_execute", [{ data: { operation_id } }]);
  return operation_id;
}
