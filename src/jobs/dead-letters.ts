import { recordAudit, type Author } from "../audit/audit.ts";
import { AppError } from "../errors.ts";
import { newId } from "../ids.ts";
import { deadLetters } from "../metrics.ts";
import type { Queryable, Transaction } from "../db/db.ts";
import {
  decideDeadLetter,
  insertDeadLetters,
  selectDeadLetter,
  type DeadLetterRow,
  type LetterKind,
} from "./queries.ts";
import { subjectOf, type QueueName } from "./queues.ts";

export type DeadLetterDraft = {
  readonly queue: QueueName;
  readonly subject_id: string;
  readonly payload: Record<string, unknown>;
  readonly reason: string;
  /** Left out: `work`. */
  readonly kind?: LetterKind;
  readonly attempt_count: number;
};

/**
 * Opens a dead letter for work that needs a person; if one already waits for the same subject, that one is
 * kept. Reversals and discrepancies open one letter per reason, so that no older letter hides them.
 */
export async function addDeadLetters(tx: Queryable, drafts: readonly DeadLetterDraft[]): Promise<void> {
  if (drafts.length === 0) return;
  for (const draft of drafts) deadLetters.inc({ queue: draft.queue });
  await insertDeadLetters(
    tx,
    drafts.map((draft) => ({
      kind: "work",
      ...draft,
      reason: storable(draft.reason),
      dead_letter_id: newId("dead"),
    })),
  );
}

/**
 * A reason may quote an error or a PSP. PostgreSQL stores no NUL or lone surrogate, and an error here would
 * lose the letter.
 */
const storable = (reason: string): string =>
  reason.slice(0, 1_000).toWellFormed().replaceAll("\0", "\uFFFD") || "no reason was given";

/** The dead letter of a job that is given up. */
export function letterOf(
  queue: QueueName,
  job: { readonly id: string; readonly data: unknown },
  reason: string,
  attempt_count: number,
): DeadLetterDraft {
  const { data } = job;
  const payload = typeof data === "object" && data !== null && !Array.isArray(data) ? { ...data } : { data };
  return { queue, subject_id: subjectOf(queue, job), payload, reason, attempt_count };
}

/**
 * Marks an open dead letter as decided and audits that. Errors: `not_found`, `state_conflict` if it was
 * decided before.
 */
export async function decideLetter(
  tx: Transaction,
  deadLetterId: string,
  decision: { state: "redriven" | "discarded"; by: Author; note: string | null },
): Promise<DeadLetterRow> {
  const letter = await selectDeadLetter(tx, deadLetterId);
  if (letter === undefined) throw new AppError("not_found", `There is no dead letter ${deadLetterId}.`);
  const { state, by, note } = decision;
  const decided = await decideDeadLetter(tx, deadLetterId, { state, actor: by.actor, note });
  if (decided === undefined)
    throw new AppError("state_conflict", `The dead letter was ${letter.state} before.`);
  const { queue, subject_id } = letter;
  await recordAudit(tx, {
    ...by,
    action: state === "redriven" ? "dead_letter.redrive" : "dead_letter.discard",
    subject_type: "dead_letter",
    subject_id: deadLetterId,
    before: { state: letter.state, queue, subject_id },
    after: { state },
    reason: note,
  });
  return decided;
}
