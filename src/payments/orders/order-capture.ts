import { recordAudit, type Author } from "../../audit/audit.ts";
import type { Transaction } from "../../db/db.ts";
import type { Jobs } from "../../jobs/jobs.ts";
import { lockKnownOrder, orderSubject } from "./action-orders.ts";
import type { OperationRow } from "../model/model.ts";
import { requestCapture, type CaptureRequest } from "./operation-requests.ts";

/** Errors: `not_found`, and those of `requestCapture`. */
export async function captureOrder(
  tx: Transaction,
  jobs: Jobs,
  paymentOrderId: string,
  request: CaptureRequest,
  by: Author,
): Promise<{ operation: OperationRow; is_new: boolean }> {
  const captured = await requestCapture(
    tx,
    { jobs },
    await lockKnownOrder(tx, paymentOrderId),
    request,
    by.actor,
  );
  if (captured.is_new) {
    const { operation_id, amount_minor, currency, is_final } = captured.operation;
    await recordAudit(tx, {
      ...by,
      action: "payment_order.capture",
      ...orderSubject(paymentOrderId),
      before: null,
      after: { operation_id, capture_id: request.capture_id, amount_minor, currency, is_final },
      reason: null,
    });
  }
  return captured;
}
