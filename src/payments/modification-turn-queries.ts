import { textArray, type Queryable } from "../db/db.ts";
import type { AttemptId, ModificationId, PaymentOrderId } from "../ids.ts";
import type { Turn } from "../psp/psp.ts";
import type { AttemptStatus, ModificationStatus, Resolved, VoidCause } from "./model.ts";

/** The next modification of each attempt that waits for its turn. */
export async function selectNextQueued(
  tx: Queryable,
  attemptIds: readonly string[],
): Promise<ModificationId[]> {
  const rows = await tx.query<{ modification_id: ModificationId }>(
    `select distinct on (attempt_id) modification_id
       from payment_modifications
      where attempt_id = any ($1::text[]) and status = 'queued'
      order by attempt_id, is_final, modification_id`,
    [textArray(attemptIds)],
  );
  return rows.map((row) => row.modification_id);
}

/** What bringing a modification forward needs to know. */
export type PursuableRow = {
  readonly modification_id: ModificationId;
  readonly payment_order_id: PaymentOrderId | null;
  readonly kind: "capture" | "void";
  readonly status: ModificationStatus;
  readonly psp_key: string;
  readonly amount_minor: bigint | null;
  readonly is_final: boolean;
  readonly void_cause: VoidCause | null;
  readonly attempt_id: AttemptId;
  readonly psp: string;
  readonly psp_reference: string | null;
  readonly page_token: string | null;
  readonly attempt_status: AttemptStatus;
  readonly attempt_amount_minor: bigint;
  readonly currency: string;
  readonly captured_minor: bigint;
  readonly is_blocked: boolean;
  readonly key_number: number;
  /** A call about it may be under way. */
  readonly is_leased: boolean;
  readonly is_due: boolean;
} & Resolved;

/** Locks the orders of modifications in key order. */
export function lockForModification(
  tx: Queryable,
  modificationIds: readonly string[],
): Promise<PursuableRow[]> {
  return tx.query<PursuableRow>("select * from payments_lock_for_modification($1)", [
    textArray(modificationIds),
  ]);
}

export type StartedModification = {
  readonly modification_id: ModificationId;
  readonly epoch: number;
  readonly turn: Turn;
};

/**
 * Takes modifications up: each gets a new epoch, and nobody else calls the PSP about it until the lease ends.
 * `keySeconds`: how long each PSP is certain to remember a key.
 */
export async function startModifications(
  tx: Queryable,
  modificationIds: readonly string[],
  terms: {
    readonly lease_seconds: number;
    readonly key_seconds: Readonly<Record<string, number>>;
    readonly quiet_seconds: number;
  },
): Promise<StartedModification[]> {
  if (modificationIds.length === 0) return [];
  return tx.query<StartedModification>(
    `update payment_modifications m
        set status = case m.status when 'queued' then 'executing' else m.status end,
            leased_until = now() + $2 * interval '1 second', updated_at = now(), epoch = m.epoch + 1,
            key_sent_at = case t.turn when 'first_send' then now() else m.key_sent_at end,
            sent_at = case when t.turn in ('first_send', 'ask_then_send') then now() else m.sent_at end
       from (
         select q.modification_id,
                case q.status when 'queued' then 'first_send'
                  else payments_turn(q.key_sent_at, q.sent_at, q.has_stored_failure, ($3::jsonb ->> a.psp)::float8, $4) end as turn
           from payment_modifications q
           join payment_attempts a on a.attempt_id = q.attempt_id
          where q.modification_id = any ($1::text[])
       ) t
      where m.modification_id = t.modification_id
     returning m.modification_id, m.epoch, t.turn`,
    [textArray(modificationIds), terms.lease_seconds, JSON.stringify(terms.key_seconds), terms.quiet_seconds],
  );
}

/** No call was made, or none came to an end: another worker may take it up. */
export async function releaseModification(tx: Queryable, modificationId: string): Promise<void> {
  await tx.query("update payment_modifications set leased_until = null where modification_id = $1", [
    modificationId,
  ]);
}

/** They wait for so long, each for itself. */
export async function postponeModifications(
  tx: Queryable,
  delays: readonly { readonly modification_id: string; readonly seconds: number }[],
): Promise<void> {
  if (delays.length === 0) return;
  await tx.query(
    `update payment_modifications m set due_at = now() + d.seconds * interval '1 second', updated_at = now()
       from json_to_recordset($1::json) as d (modification_id text, seconds double precision)
      where m.modification_id = d.modification_id`,
    [JSON.stringify(delays)],
  );
}
