import { recordAudit, type Author } from "../../audit/audit.ts";
import type { Transaction } from "../../db/db.ts";
import { AppError } from "../../errors.ts";
import { decideWaiting, type Jobs } from "../../jobs/jobs.ts";
import { capture_failed } from "../decide/capture-failure.ts";
import type { OperationRow, Resolution } from "../model/model.ts";
import { storeResolution } from "../store/operation-outcome-queries.ts";
import { selectOperations, selectOperationsById } from "../store/operation-queries.ts";
import { lockOperations, type RunnableOperation } from "../store/operation-turn-queries.ts";
import { lockOrder } from "../store/queries.ts";

/**
 * Stores the outcome of a capture or void that a person saw at the PSP and that the PSP did not report, or
 * reported wrongly; the worker then records it like any report. Repeating it changes nothing. Errors:
 * `not_found`, `state_conflict`.
 */
export async function resolveOperation(
  tx: Transaction,
  jobs: Jobs,
  operationId: string,
  resolution: Resolution,
  by: Author,
): Promise<{ operation: OperationRow; is_new: boolean }> {
  const [row] = await lockOperations(tx, [operationId]);
  if (row === undefined)
    throw new AppError("not_found", `There is no operation ${operationId}.`, { param: "operation_id" });
  if (row.resolved_as === resolution.outcome)
    return { operation: await find(tx, operationId), is_new: false };
  if (row.status === "failed") await assertReopenable(tx, row, resolution);
  else if (row.status === "succeeded" || row.status === "queued" || row.resolved_as !== null) {
    const state = row.resolved_as === null ? row.status : `resolved as ${row.resolved_as}`;
    throw conflict(
      "Only a capture or void that was sent to the PSP and is still undecided can be resolved; " +
        `this one is ${state}.`,
    );
  }
  await storeResolution(tx, row, resolution, by.actor);
  const note = `resolved as ${resolution.outcome}: ${resolution.note}`.slice(0, 500);
  await decideWaiting(
    tx,
    { queue: "operation_execute", subject_ids: [operationId] },
    { state: "discarded", actor: by.actor, note },
  );
  await recordAudit(tx, {
    ...by,
    action: "operation.resolve",
    subject_type: "operation",
    subject_id: operationId,
    before: { status: row.status, resolved_as: row.resolved_as },
    after: { resolved_as: resolution.outcome },
    reason: resolution.note,
  });
  await jobs.enqueue(tx, "operation_execute", [{ data: { operation_id: operationId } }]);
  return { operation: await find(tx, operationId), is_new: true };
}

/**
 * The operation did not fail after all: the payment must still be open, with nothing else in flight to mix up
 * with it.
 */
async function assertReopenable(
  tx: Transaction,
  row: RunnableOperation,
  { outcome }: Resolution,
): Promise<void> {
  if (outcome === "failed") throw conflict("It has already failed.");
  const { failure_code, is_reopenable } = await find(tx, row.operation_id);
  if (!is_reopenable) throw conflict(`A ${row.kind} that has failed stays failed: request another one.`);
  // The ledger has one transaction for each capture, and that one is reversed.
  if (failure_code === capture_failed) {
    throw conflict("It was booked and failed later: money taken since then belongs to another capture.");
  }
  if (row.attempt_id === null) {
    if (row.is_blocked) throw conflict("Another operation of its lane is in progress.");
    return;
  }
  if (row.payment_order_id === null || row.attempt_status !== "authorized")
    throw conflict(`It has failed, and the payment is already ${row.attempt_status}.`);
  const others = (await selectOperations(tx, row.payment_order_id)).filter(
    ({ operation_id, status }) =>
      operation_id !== row.operation_id && status !== "succeeded" && status !== "failed",
  );
  if (others.length > 0) throw conflict(`Another ${others[0]?.kind} of this payment is in progress.`);
  const order = await lockOrder(tx, row.payment_order_id);
  const left_minor =
    order === undefined ? 0n : order.amount_minor - order.captured_minor - order.capturing_minor;
  if (row.kind === "capture" && (row.amount_minor ?? 0n) > left_minor)
    throw conflict(`It has failed, and only ${left_minor} minor units are left of the authorisation.`);
}

const conflict = (message: string): AppError => new AppError("state_conflict", message);

async function find(tx: Transaction, operationId: string): Promise<OperationRow> {
  const [operation] = await selectOperationsById(tx, [operationId]);
  if (operation === undefined) throw new Error(`the operation ${operationId} is gone`);
  return operation;
}
