import type { Author } from "../../audit/audit.ts";
import type { Transaction } from "../../db/db.ts";
import { AppError } from "../../errors.ts";
import { decideLetter, isPayloadOf, type DeadLetterRow, type Jobs } from "../../jobs/jobs.ts";
import { reopenMessages } from "../../webhooks/webhooks.ts";
import { execute, lockKnownOrder } from "./action-orders.ts";
import { assertNothingTaken, mayBeCharged } from "./discrepancies.ts";
import { redriveOperation } from "./operation-requests.ts";
import { moveOrder } from "../store/queries.ts";

/**
 * Redrives a dead letter: a failed order gets a new attempt; the PSP is asked about an unknown order or
 * an operation. Errors: `not_found`, `state_conflict`.
 */
export async function redriveLetter(
  tx: Transaction,
  jobs: Jobs,
  deadLetterId: string,
  by: Author,
  note: string | null,
): Promise<DeadLetterRow> {
  const letter = await decideLetter(tx, deadLetterId, { state: "redriven", by, note });
  if (letter.queue === "webhook_apply") {
    if (!isPayloadOf("webhook_apply", letter.payload)) {
      throw new AppError("state_conflict", "The data of this job cannot be read: discard the dead letter.");
    }
    await reopenMessages(tx, letter.payload.message_ids);
    await jobs.enqueue(tx, "webhook_apply", [{ data: letter.payload }]);
    return letter;
  }
  if (letter.queue === "operation_execute") {
    await redriveOperation(tx, { jobs }, letter.subject_id, by.actor);
    return letter;
  }
  const order = await lockKnownOrder(tx, letter.subject_id);
  if (["SUCCESS", "AUTHORIZED", "CANCELED"].includes(order.status)) {
    throw new AppError(
      "state_conflict",
      `An order that is ${order.status} has nothing to redrive: check the PSP, then discard the dead ` +
        "letter and note what you did.",
    );
  }
  // Redriving would close the letter and begin the next attempt before anybody has looked at the PSP.
  if (letter.kind === "discrepancy") throw mayBeCharged();
  if (order.status === "FAILED") {
    await assertNothingTaken(tx, order);
    await moveOrder(tx, {
      payment_order_id: order.payment_order_id,
      status: "EXECUTING",
      cause: "redrive",
      actor: by.actor,
      is_retry: true,
    });
  }
  await execute(tx, jobs, [order]);
  return letter;
}
