import { textArray, type Queryable } from "../../db/db.ts";
import type { AttemptRow } from "../model/model.ts";
import { attemptColumns, inFlight } from "./queries.ts";

type Stored = Pick<
  AttemptRow,
  "attempt_id" | "resolved_as" | "resolution_reference" | "resolution_note" | "resolved_by"
>;

/**
 * Stores a resolution, to be recorded at the earliest this many seconds after the last request. The caller
 * has locked the orders.
 */
export async function storeAttemptResolution(
  tx: Queryable,
  resolved: Stored,
  requestSeconds: number,
): Promise<AttemptRow> {
  const [row] = await tx.query<AttemptRow>(
    `update payment_attempts a
        set resolved_as = $2, resolution_reference = $3, resolution_note = $4, resolved_by = $5,
            resolution_due_at = greatest(now(), a.sent_at + $6 * interval '1 second'), updated_at = now()
      where a.attempt_id = $1
     returning ${attemptColumns}`,
    [
      resolved.attempt_id,
      resolved.resolved_as,
      resolved.resolution_reference,
      resolved.resolution_note,
      resolved.resolved_by,
      requestSeconds,
    ],
  );
  if (row === undefined)
    throw new Error(`the attempt ${resolved.attempt_id} vanished under its orders' lock`);
  return row;
}

/**
 * Another attempt at the same PSP that has this reference, goes by it or was resolved with it, or the
 * operation that it belongs to. A collector's reference may be that of one transfer for several orders, so
 * it belongs to none of them.
 */
export async function selectHolderOfReference(
  tx: Queryable,
  { attempt_id, psp }: Pick<AttemptRow, "attempt_id" | "psp">,
  psp_reference: string,
): Promise<string | undefined> {
  const [row] = await tx.query<{ subject_id: string }>(
    `select subject_id from psp_references where psp = $2 and reference = $3 and subject_id <> $1
     union all
     select attempt_id from payment_attempts where attempt_id = $3 and psp = $2 and attempt_id <> $1
     union all
     select attempt_id from payment_attempts
      where psp = $2 and resolution_reference = $3 and attempt_id <> $1
        and resolved_as in ('succeeded', 'authorized')
     limit 1`,
    [attempt_id, psp, psp_reference],
  );
  return row?.subject_id;
}

/**
 * `oldest_running`: every transaction with a lower number has ended. `next_transaction`: every one that began
 * before this query has a lower number.
 */
export type DueResolution = AttemptRow & {
  readonly oldest_running: bigint;
  readonly next_transaction: bigint;
};

/** Open attempts whose resolution is due, the longest waiting first. */
export function selectDueResolutions(db: Queryable, limit: number): Promise<DueResolution[]> {
  return db.query<DueResolution>(
    `select ${attemptColumns},
            pg_snapshot_xmin(pg_current_snapshot())::text::bigint as oldest_running,
            pg_snapshot_xmax(pg_current_snapshot())::text::bigint as next_transaction
       from payment_attempts a
      where a.resolved_as is not null and a.status in ${inFlight}
        and a.resolution_due_at <= now()
      order by a.resolution_due_at
      limit $1`,
    [limit],
  );
}

/** Postpones resolutions that could not be recorded. */
export async function postponeResolutions(
  db: Queryable,
  attemptIds: readonly string[],
  seconds: number,
): Promise<void> {
  await db.query(
    `update payment_attempts set resolution_due_at = now() + $2 * interval '1 second'
      where attempt_id = any ($1::text[])`,
    [textArray(attemptIds), seconds],
  );
}
