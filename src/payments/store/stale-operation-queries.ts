import { textArray, type Queryable } from "../../db/db.ts";
import type { OperationId } from "../../ids.ts";
import { openOperation } from "./queries.ts";

/** Operations that nobody touched for so long. */
export async function selectStaleOperations(
  db: Queryable,
  staleSeconds: number,
  limit: number,
): Promise<OperationId[]> {
  const rows = await db.query<{ operation_id: OperationId }>(
    `select operation_id from operations
      where status in ${openOperation}
        and updated_at < now() - $1 * interval '1 second'
      order by updated_at
      limit $2`,
    [staleSeconds, limit],
  );
  return rows.map((row) => row.operation_id);
}

/** Extends the lease of those that are still untouched. */
export async function renewStaleOperations(
  tx: Queryable,
  operationIds: readonly string[],
  staleSeconds: number,
): Promise<OperationId[]> {
  const rows = await tx.query<{ operation_id: OperationId }>(
    `update operations m set due_at = now(), updated_at = now()
       from (
         select operation_id from operations
          where operation_id = any ($1::text[])
            and status in ${openOperation}
            and updated_at < now() - $2 * interval '1 second'
          order by operation_id
            for no key update skip locked
       ) stale
      where m.operation_id = stale.operation_id
     returning m.operation_id`,
    [textArray(operationIds), staleSeconds],
  );
  return rows.map((row) => row.operation_id);
}
