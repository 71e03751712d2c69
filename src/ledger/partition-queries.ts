import type { Queryable, Timestamp } from "../db/db.ts";

/**
 * Detaches the partitions of entries that were all written before a time and verified, and gives their names;
 * with the owner's login.
 */
export async function detachPartitions(owner: Queryable, before: Timestamp): Promise<readonly string[]> {
  const rows = await owner.query<{ name: string }>("select name from ledger_detach_partitions($1) as name", [
    before,
  ]);
  return rows.map(({ name }) => name);
}

/** Whether entries that a balance as of a time would need were detached. */
export async function isBeforeDetached(db: Queryable, at: Timestamp): Promise<boolean> {
  const [row] = await db.query<{ is_before: boolean }>(
    `select exists (
       select from ledger_entry_partitions p
         join ticks k on k.tick = p.detached_tick
        where k.taken_at > $1
     ) as is_before`,
    [at],
  );
  return row?.is_before === true;
}
