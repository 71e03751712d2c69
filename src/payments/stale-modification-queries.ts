import { textArray, type Queryable } from "../db/db.ts";
import type { ModificationId } from "../ids.ts";

/** Modifications that nobody touched for so long. */
export async function selectStaleModifications(
  db: Queryable,
  staleSeconds: number,
  limit: number,
): Promise<ModificationId[]> {
  const rows = await db.query<{ modification_id: ModificationId }>(
    `select modification_id from payment_modifications
      where status in ('queued', 'executing', 'pending', 'unknown') and updated_at < now() - $1 * interval '1 second'
      order by updated_at
      limit $2`,
    [staleSeconds, limit],
  );
  return rows.map((row) => row.modification_id);
}

/** Extends the lease of those that are still untouched. */
export async function renewStaleModifications(
  tx: Queryable,
  modificationIds: readonly string[],
  staleSeconds: number,
): Promise<ModificationId[]> {
  const rows = await tx.query<{ modification_id: ModificationId }>(
    `update payment_modifications m set due_at = now(), updated_at = now()
       from (
         select modification_id from payment_modifications
          where modification_id = any ($1::text[])
            and status in ('queued', 'executing', 'pending', 'unknown') and updated_at < now() - $2 * interval '1 second'
          order by modification_id
            for no key update skip locked
       ) stale
      where m.modification_id = stale.modification_id
     returning m.modification_id`,
    [textArray(modificationIds), staleSeconds],
  );
  return rows.map((row) => row.modification_id);
}
