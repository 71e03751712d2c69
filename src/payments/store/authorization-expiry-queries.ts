import type { Queryable } from "../../db/db.ts";
import { openOperation } from "./queries.ts";

/**
 * Attempts whose authorisation, or whose buyer's time to confirm, has expired at `at` and that have no void
 * yet. A void that the PSP refused waits for a person.
 */
export async function selectExpiredAuthorizations(tx: Queryable, at: Date, limit: number): Promise<string[]> {
  const rows = await tx.query<{ attempt_id: string }>(
    `select a.attempt_id
       from (
         select attempt_id, authorization_expires_at as ends_at
           from payment_attempts
          where status = 'authorized' and authorization_expires_at <= $2::timestamptz
         union all
         select attempt_id, next_action_expires_at
           from payment_attempts
          where next_action_expires_at <= $2::timestamptz and status = 'pending'
       ) a
      where not exists (
          select from operations m
           where m.attempt_id = a.attempt_id
             and (m.status in ${openOperation}
                  or (m.void_cause = 'expired' and m.status = 'failed')))
      order by a.ends_at
      limit $1`,
    [limit, at.toISOString()],
  );
  return rows.map((row) => row.attempt_id);
}
