/** What is to be done after a report is recorded: the next look, the next modification, a letter to a person. */
import type { Transaction } from "../db/db.ts";
import { newId } from "../ids.ts";
import { buryAll, type DeadLetterDraft, type Jobs } from "../jobs/jobs.ts";
import { insertVoids } from "./modification-queries.ts";
import { selectNextQueued } from "./modification-turn-queries.ts";
import type { Recorded } from "./psp-report.ts";

export async function followUp(tx: Transaction, jobs: Jobs, recorded: readonly Recorded[]): Promise<void> {
  await jobs.enqueue(
    tx,
    "payment_execute",
    recorded.flatMap(({ report, row, decision }) =>
      decision.retry_delay_seconds === null || !report.is_first
        ? []
        : [
            {
              data: { payment_order_id: row.payment_order_id },
              start_after_seconds: decision.retry_delay_seconds,
            },
          ],
    ),
  );
  await buryAll(
    tx,
    recorded.flatMap(({ report, row, decision }): DeadLetterDraft[] =>
      decision.alarm === null || !report.is_first
        ? []
        : [
            {
              queue: "payment_execute",
              subject_id: row.payment_order_id,
              payload: { payment_order_id: row.payment_order_id, attempt_id: row.attempt_id },
              reason: decision.alarm,
              kind: decision.alarm_kind,
              attempt_count: row.attempt_number,
            },
          ],
    ),
  );
}

export async function followModificationsUp(
  tx: Transaction,
  jobs: Jobs,
  recorded: readonly Recorded[],
): Promise<void> {
  const first = recorded.filter(({ report }) => report.is_first);
  const again = first.flatMap(({ row: { modification_id }, decision: { modification } }) =>
    modification_id === null || modification === null || modification.retry_delay_seconds === null
      ? []
      : [{ data: { modification_id }, start_after_seconds: modification.retry_delay_seconds }],
  );
  const voids = await insertVoids(
    tx,
    first.flatMap(({ report, row, decision: { void_cause } }) =>
      void_cause === null
        ? []
        : [
            {
              modification_id: newId("mod"),
              attempt_id: row.attempt_id,
              void_cause,
              created_by: report.actor,
            },
          ],
    ),
  );
  // One that goes back to the queue may stand behind another now.
  const freed = first.filter(
    ({ decision: { modification } }) =>
      modification !== null && ["succeeded", "failed", "queued"].includes(modification.status),
  );
  const waiting =
    freed.length === 0
      ? []
      : await selectNextQueued(
          tx,
          freed.map(({ row }) => row.attempt_id),
        );
  const next = waiting.filter(
    (id) => !again.some(({ data }) => data.modification_id === id) && !voids.includes(id),
  );
  await jobs.enqueue(tx, "payment_modify", [
    ...again,
    ...[...voids, ...next].map((modification_id) => ({ data: { modification_id } })),
  ]);
  await buryAll(
    tx,
    first.flatMap(({ row, decision: { modification } }): DeadLetterDraft[] =>
      row.modification_id === null || modification === null || modification.alarm === null
        ? []
        : [
            {
              queue: "payment_modify",
              subject_id: row.modification_id,
              payload: {
                modification_id: row.modification_id,
                payment_order_id: row.payment_order_id,
                attempt_id: row.attempt_id,
              },
              reason: modification.alarm,
              attempt_count: row.key_number,
            },
          ],
    ),
  );
}
