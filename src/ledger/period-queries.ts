import type { Queryable, Timestamp } from "../db/db.ts";

/**
 * Closes the time before `until`, which the database's clock has reached: what is booked later takes effect
 * then at the earliest. With the owner's login. Gives false if it, or a later time, was closed already.
 */
export async function closePeriod(owner: Queryable, until: Timestamp, closed_by: string): Promise<boolean> {
  const rows = await owner.query(
    `insert into ledger_closed_periods (until, closed_by)
     select $1::timestamptz, $2
      where $1::timestamptz <= clock_timestamp()
        and not exists (select from ledger_closed_periods p where p.until >= $1::timestamptz)
     returning until`,
    [until, closed_by],
  );
  return rows.length > 0;
}

/** Whether an effective balance as of a time can no longer change. */
export async function isEffectiveFinal(db: Queryable, at: Timestamp): Promise<boolean> {
  const [row] = await db.query<{ is_final: boolean }>("select ledger_is_effective_final($1) as is_final", [
    at,
  ]);
  return row?.is_final === true;
}
