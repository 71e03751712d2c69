import type { Database } from "../db/db.ts";
import { AppError } from "../errors.ts";
import { decideWaiting } from "../jobs/jobs.ts";
import type { Logger } from "../log.ts";
import type { ModificationAnswer } from "../psp/psp.ts";
import type { ModificationRow } from "./model.ts";
import { selectModificationsById } from "./modification-queries.ts";
import type { Settlement } from "./settlement.ts";

export type Resolution = { readonly outcome: "succeeded" | "failed"; readonly note: string };

/**
 * A person says what became of a capture or void that the PSP does not tell of, having looked there. It is settled
 * like any news. Errors: `not_found`; `state_conflict` unless the PSP was asked and the outcome is open.
 */
export async function resolveModification(
  { database, settlement, log }: { readonly database: Database; readonly settlement: Settlement; readonly log: Logger },
  modificationId: string, { outcome, note }: Resolution, actor: string,
): Promise<ModificationRow> {
  const { attempt_id, payment_order_id, status } = await find(database, modificationId);
  if (status !== "executing" && status !== "pending" && status !== "unknown") {
    throw new AppError("state_conflict", `Only what the PSP was asked for and has not told can be resolved; this one is ${status}.`);
  }
  const said: ModificationAnswer = outcome === "succeeded" ? { kind: "done", psp_reference: null }
    : { kind: "failed", failure: { class: "hard_decline", code: "resolved_by_person", message: note } };
  log.warn({ modification_id: modificationId, outcome, note, actor }, "a person resolves a modification");
  await settlement.settle({
    payment_order_id, attempt_id, modification_id: modificationId, outcome: said, actor, is_first_send: true, is_answer_to_modification: false,
    is_inquiry: false, psp_call_ms: null, job: null, modification_job: null, message_id: null,
  });
  await database.transaction((tx) => decideWaiting(tx, { queue: "payment_modify", subject_id: modificationId }, { state: "discarded", actor, note: `resolved as ${outcome}: ${note}`.slice(0, 500) }));
  return find(database, modificationId);
}

async function find(database: Database, modificationId: string): Promise<ModificationRow> {
  const [modification] = await selectModificationsById(database, [modificationId]);
  if (modification === undefined) throw new AppError("not_found", `There is no modification ${modificationId}.`, { param: "modification_id" });
  return modification;
}
