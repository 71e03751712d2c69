import { textArray, type Queryable } from "../../db/db.ts";
import type { OperationId } from "../../ids.ts";
import type { OperationRow, VoidCause } from "../model/model.ts";
import { inFlight, isAttemptOfOrder } from "./queries.ts";

const columns = `m.operation_id, m.attempt_id, m.payment_order_id, m.kind, m.psp,
  (select k.is_reopenable from operation_kinds k where k.kind = m.kind) as is_reopenable,
  m.capture_id, m.request_fingerprint, m.amount_minor, m.currency::text, m.is_final, m.void_cause, m.status,
  m.psp_reference, m.failure_code, m.failure_message, m.resolved_as, m.resolved_by, m.resolution_note,
  m.created_by, m.created_at, m.updated_at`;

export type NewOperation = Pick<
  OperationRow,
  "operation_id" | "payment_order_id" | "kind" | "currency" | "is_final" | "created_by"
> & {
  readonly attempt_id: string;
  readonly capture_id?: string;
  readonly request_fingerprint?: Buffer;
  readonly amount_minor?: bigint;
  readonly void_cause?: VoidCause;
};

/**
 * Stores an operation; what a capture asks for counts as under way from now on. The order is locked by the
 * caller.
 */
export async function insertOperation(tx: Queryable, draft: NewOperation): Promise<OperationRow> {
  const [row] = await tx.query<OperationRow>(
    `with counted as (
       update payment_orders set capturing_minor = capturing_minor + $8::bigint, updated_at = now()
        where payment_order_id = $3 and $8::bigint is not null
     )
     insert into operations as m
       (operation_id, attempt_id, lane, psp, payment_order_id, kind, capture_id, request_fingerprint,
        currency, amount_minor, is_final, void_cause, created_by)
     select $1, a.attempt_id, 'attempt:' || a.attempt_id, a.psp, $3, $4, $5, $6, $7, $8, $9, $10, $11
       from payment_attempts a where a.attempt_id = $2
     returning ${columns}`,
    [
      draft.operation_id,
      draft.attempt_id,
      draft.payment_order_id,
      draft.kind,
      draft.capture_id ?? null,
      draft.request_fingerprint ?? null,
      draft.currency,
      draft.amount_minor ?? null,
      draft.is_final,
      draft.void_cause ?? null,
      draft.created_by,
    ],
  );
  if (row === undefined) throw new Error("an inserted operation gave no row");
  return row;
}

export type NewVoid = {
  readonly operation_id: OperationId;
  readonly attempt_id: string;
  readonly void_cause: VoidCause;
  readonly created_by: string;
};

/**
 * Stores voids of attempts that have none, and gives the ids of those that are new. Who cancels a payment
 * that is being given up because its card was declined wants no other attempt to follow: that void changes
 * its cause.
 */
export async function insertVoids(tx: Queryable, drafts: readonly NewVoid[]): Promise<OperationId[]> {
  if (drafts.length === 0) return [];
  const rows = await tx.query<{ operation_id: OperationId; is_new: boolean }>(
    `insert into operations as m
       (operation_id, attempt_id, lane, psp, payment_order_id, kind, currency, is_final, void_cause,
        created_by)
     select d.operation_id, a.attempt_id, 'attempt:' || a.attempt_id, a.psp, a.payment_order_id, 'void',
            a.currency, true, d.void_cause, d.created_by
       from json_to_recordset($1::json)
            as d (operation_id text, attempt_id text, void_cause text, created_by text)
       join payment_attempts a on a.attempt_id = d.attempt_id
      order by a.attempt_id
     on conflict (attempt_id) where kind = 'void' and status <> 'failed'
     do update set void_cause = excluded.void_cause, updated_at = now()
      where m.void_cause = 'declined' and excluded.void_cause <> 'declined' and m.status <> 'succeeded'
     returning m.operation_id, m.xmax = 0 as is_new`,
    [JSON.stringify(drafts)],
  );
  return rows.filter(({ is_new }) => is_new).map(({ operation_id }) => operation_id);
}

export async function selectOperationIds(db: Queryable, attemptId: string): Promise<string[]> {
  const rows = await db.query<{ operation_id: string }>(
    "select operation_id from operations where attempt_id = $1",
    [attemptId],
  );
  return rows.map((row) => row.operation_id);
}

/** All operations of an order's charges, oldest first. */
export function selectOperations(db: Queryable, paymentOrderId: string): Promise<OperationRow[]> {
  return db.query<OperationRow>(
    `select ${columns}
       from operations m
      where m.attempt_id in (
        select a.attempt_id from payment_attempts a
         where ${isAttemptOfOrder})
      order by m.operation_id`,
    [paymentOrderId],
  );
}

export function selectOperationsById(
  db: Queryable,
  operationIds: readonly string[],
): Promise<OperationRow[]> {
  return db.query<OperationRow>(
    `select ${columns} from operations m where m.operation_id = any ($1::text[])`,
    [textArray(operationIds)],
  );
}

/** By an id that the PSP account gave: another account may have the same id for something else. */
export async function selectOperationByReference(
  db: Queryable,
  psp: string,
  reference: string,
): Promise<OperationRow | undefined> {
  const [row] = await db.query<OperationRow>(
    `select ${columns}
       from psp_references r
       join operations m on m.operation_id = r.subject_id
      where r.psp = $1 and r.reference = $2`,
    [psp, reference],
  );
  return row;
}

/**
 * Whether the PSP may know an operation of the attempt, or one without, by a reference that we have not heard
 * yet.
 */
export async function hasUnnamedOperation(
  db: Queryable,
  psp: string,
  attemptId: string | null,
): Promise<boolean> {
  const rows = await db.query(
    `select 1 from operations
      where psp = $1 and (attempt_id = $2 or $2::text is null and attempt_id is null)
        and psp_reference is null and status in ${inFlight}
      limit 1`,
    [psp, attemptId],
  );
  return rows.length > 0;
}
