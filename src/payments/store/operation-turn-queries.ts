import { textArray, type Queryable } from "../../db/db.ts";
import type { AttemptId, OperationId, PaymentOrderId } from "../../ids.ts";
import type { Turn } from "../../psp/psp.ts";
import type { AttemptStatus, OperationStatus, Resolved, VoidCause } from "../model/model.ts";

/** The next operation of each lane that waits for its turn. */
export async function selectNextQueued(tx: Queryable, lanes: readonly string[]): Promise<OperationId[]> {
  const rows = await tx.query<{ operation_id: OperationId }>(
    `select distinct on (lane) operation_id
       from operations
      where lane = any ($1::text[]) and status = 'queued'
      order by lane, is_final, operation_id`,
    [textArray(lanes)],
  );
  return rows.map((row) => row.operation_id);
}

/** An operation under its lock, with what a call about it needs to know. */
export type RunnableOperation = {
  readonly operation_id: OperationId;
  readonly kind: string;
  readonly lane: string;
  readonly unknown_inquiries_max: number;
  readonly accepted_inquiries_max: number;
  readonly status: OperationStatus;
  readonly psp: string;
  readonly psp_key: string;
  readonly psp_reference: string | null;
  readonly key_number: number;
  readonly epoch: number;
  readonly inquiry_count: number;
  readonly amount_minor: bigint | null;
  readonly currency: string;
  readonly is_final: boolean;
  readonly void_cause: VoidCause | null;
  /** Another one of its lane is in flight or comes first. */
  readonly is_blocked: boolean;
  /** A call about it may be in flight. */
  readonly is_leased: boolean;
  readonly is_due: boolean;
  /** Null: every order of a page, or none. */
  readonly payment_order_id: PaymentOrderId | null;
  readonly captured_minor: bigint;
} & Resolved &
  (ChargeOfOperation | { readonly attempt_id: null });

type ChargeOfOperation = {
  readonly attempt_id: AttemptId;
  readonly attempt_status: AttemptStatus;
  readonly attempt_amount_minor: bigint;
  readonly attempt_psp_reference: string | null;
  readonly page_token: string | null;
};

/** Locks operations, and before them the orders that they are about, in key order. */
export function lockOperations(tx: Queryable, operationIds: readonly string[]): Promise<RunnableOperation[]> {
  return tx.query<RunnableOperation>("select * from operations_lock($1)", [textArray(operationIds)]);
}

export type StartedOperation = {
  readonly operation_id: OperationId;
  readonly epoch: number;
  readonly turn: Turn;
};

/**
 * Takes operations up: each gets a new epoch, and nobody else calls the PSP about it until the lease ends.
 * `keySeconds`: how long each PSP is certain to remember a key.
 */
export async function startOperations(
  tx: Queryable,
  operationIds: readonly string[],
  terms: {
    readonly lease_seconds: number;
    readonly key_seconds: Readonly<Record<string, number>>;
    readonly quiet_seconds: number;
  },
): Promise<StartedOperation[]> {
  if (operationIds.length === 0) return [];
  return tx.query<StartedOperation>(
    `update operations m
        set status = case m.status when 'queued' then 'executing' else m.status end,
            leased_until = now() + $2 * interval '1 second', updated_at = now(), epoch = m.epoch + 1,
            key_sent_at = case t.turn when 'first_send' then now() else m.key_sent_at end,
            sent_at = case when t.turn in ('first_send', 'ask_then_send') then now() else m.sent_at end
       from (
         select q.operation_id,
                case q.status when 'queued' then 'first_send'
                  else payments_turn(q.key_sent_at, q.sent_at, q.has_stored_failure,
                                     ($3::jsonb ->> q.psp)::float8, $4) end as turn
           from operations q
          where q.operation_id = any ($1::text[])
       ) t
      where m.operation_id = t.operation_id
     returning m.operation_id, m.epoch, t.turn`,
    [textArray(operationIds), terms.lease_seconds, JSON.stringify(terms.key_seconds), terms.quiet_seconds],
  );
}

/** No call was made, or none came to an end: another worker may take it up. */
export async function releaseOperation(tx: Queryable, operationId: string): Promise<void> {
  await tx.query("update operations set leased_until = null where operation_id = $1", [operationId]);
}

/** They wait for so long, each for itself. */
export async function postponeOperations(
  tx: Queryable,
  delays: readonly { readonly operation_id: string; readonly seconds: number }[],
): Promise<void> {
  if (delays.length === 0) return;
  await tx.query(
    `update operations m set due_at = now() + d.seconds * interval '1 second', updated_at = now()
       from json_to_recordset($1::json) as d (operation_id text, seconds double precision)
      where m.operation_id = d.operation_id`,
    [JSON.stringify(delays)],
  );
}
