import { recordAudit, type Author } from "../audit/audit.ts";
import type { Transaction } from "../db/db.ts";
import { AppError } from "../errors.ts";
import { decideWaiting, type Jobs } from "../jobs/jobs.ts";
import { capture_failed } from "./capture-failure.ts";
import type { ModificationRow, Resolution } from "./model.ts";
import { storeResolution } from "./modification-outcome-queries.ts";
import { selectModifications, selectModificationsById } from "./modification-queries.ts";
import { lockForModification, type PursuableRow } from "./modification-turn-queries.ts";
import { lockOrder } from "./queries.ts";

/**
 * Stores the outcome of a capture or void that a person saw at the PSP and that the PSP did not report, or
 * reported wrongly; the worker then settles it like any report. Repeating it changes nothing. Errors:
 * `not_found`, `state_conflict`.
 */
export async function resolveModification(
  tx: Transaction,
  jobs: Jobs,
  modificationId: string,
  resolution: Resolution,
  by: Author,
): Promise<{ modification: ModificationRow; is_new: boolean }> {
  const [row] = await lockForModification(tx, [modificationId]);
  if (row === undefined)
    throw new AppError("not_found", `There is no modification ${modificationId}.`, {
      param: "modification_id",
    });
  if (row.resolved_as === resolution.outcome)
    return { modification: await find(tx, modificationId), is_new: false };
  if (row.status === "failed") await assertReopenable(tx, row, resolution);
  else if (row.status === "succeeded" || row.status === "queued" || row.resolved_as !== null) {
    throw conflict(
      `Only a capture or void that was sent to the PSP and is still undecided can be resolved; this one is ${row.resolved_as === null ? row.status : `resolved as ${row.resolved_as}`}.`,
    );
  }
  await storeResolution(tx, row, resolution, by.actor);
  const note = `resolved as ${resolution.outcome}: ${resolution.note}`.slice(0, 500);
  await decideWaiting(
    tx,
    { queue: "payment_modify", subject_ids: [modificationId] },
    { state: "discarded", actor: by.actor, note },
  );
  await recordAudit(tx, {
    ...by,
    action: "modification.resolve",
    subject_type: "modification",
    subject_id: modificationId,
    before: { status: row.status, resolved_as: row.resolved_as },
    after: { resolved_as: resolution.outcome },
    reason: resolution.note,
  });
  await jobs.enqueue(tx, "payment_modify", [{ data: { modification_id: modificationId } }]);
  return { modification: await find(tx, modificationId), is_new: true };
}

/** A failure that was none: the payment must still be open, with nothing else under way that would be mixed up with it. */
async function assertReopenable(tx: Transaction, row: PursuableRow, { outcome }: Resolution): Promise<void> {
  if (outcome === "failed") throw conflict("It has already failed.");
  const { failure_code } = await find(tx, row.modification_id);
  // The ledger has one transaction for each capture, and that one is reversed.
  if (failure_code === capture_failed) {
    throw conflict("It was booked and failed later: money taken since then belongs to another capture.");
  }
  if (row.attempt_status !== "authorized" || row.payment_order_id === null)
    throw conflict(`It has failed, and the payment is already ${row.attempt_status}.`);
  const others = (await selectModifications(tx, row.payment_order_id)).filter(
    ({ modification_id, status }) =>
      modification_id !== row.modification_id && status !== "succeeded" && status !== "failed",
  );
  if (others.length > 0) throw conflict(`Another ${others[0]?.kind} of this payment is in progress.`);
  const order = await lockOrder(tx, row.payment_order_id);
  const left_minor =
    order === undefined ? 0n : order.amount_minor - order.captured_minor - order.capturing_minor;
  if (row.kind === "capture" && (row.amount_minor ?? 0n) > left_minor)
    throw conflict(`It has failed, and only ${left_minor} minor units are left of the authorisation.`);
}

const conflict = (message: string): AppError => new AppError("state_conflict", message);

async function find(tx: Transaction, modificationId: string): Promise<ModificationRow> {
  const [modification] = await selectModificationsById(tx, [modificationId]);
  if (modification === undefined) throw new Error(`the modification ${modificationId} is gone`);
  return modification;
}
