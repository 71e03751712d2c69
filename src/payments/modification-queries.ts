import { textArray, type Queryable, type Timestamp } from "../db/db.ts";
import type { AttemptId, CheckoutId, ModificationId, PaymentOrderId } from "../ids.ts";
import type { Turn } from "../psp/psp.ts";
import type {
  AttemptStatus,
  ModificationRow,
  ModificationStatus,
  Resolution,
  Resolved,
  VoidCause,
} from "./model.ts";

const columns = `m.modification_id, m.attempt_id, m.payment_order_id, m.kind, m.capture_id, m.request_fingerprint, m.amount_minor,
  m.currency::text, m.is_final, m.void_cause, m.status, m.psp_key, m.psp_reference, m.inquiry_count, m.failure_code,
  m.failure_message, m.resolved_as, m.resolved_by, m.resolution_note, m.created_by, m.created_at, m.updated_at`;

export type NewModification = Pick<
  ModificationRow,
  "modification_id" | "attempt_id" | "payment_order_id" | "kind" | "currency" | "is_final" | "created_by"
> & {
  readonly capture_id?: string;
  readonly request_fingerprint?: Buffer;
  readonly amount_minor?: bigint;
  readonly void_cause?: VoidCause;
};

/** Stores a modification; what a capture asks for counts as under way from now on. The order is locked by the caller. */
export async function insertModification(tx: Queryable, draft: NewModification): Promise<ModificationRow> {
  const [row] = await tx.query<ModificationRow>(
    `with counted as (
       update payment_orders set capturing_minor = capturing_minor + $8::bigint, updated_at = now()
        where payment_order_id = $3 and $8::bigint is not null
     )
     insert into payment_modifications as m (modification_id, attempt_id, payment_order_id, kind, capture_id, request_fingerprint, currency,
                                             amount_minor, is_final, void_cause, created_by)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
     returning ${columns}`,
    [
      draft.modification_id,
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
  if (row === undefined) throw new Error("an inserted modification gave no row");
  return row;
}

export type NewVoid = {
  readonly modification_id: ModificationId;
  readonly attempt_id: string;
  readonly void_cause: VoidCause;
  readonly created_by: string;
};

/**
 * Stores voids of attempts that have none, and gives the ids of those that are new. Who cancels a payment that is
 * being given up because its card was declined wants no other attempt to follow: that void changes its cause.
 */
export async function insertVoids(tx: Queryable, drafts: readonly NewVoid[]): Promise<ModificationId[]> {
  if (drafts.length === 0) return [];
  const rows = await tx.query<{ modification_id: ModificationId; is_new: boolean }>(
    `insert into payment_modifications as m (modification_id, attempt_id, payment_order_id, kind, currency, is_final, void_cause, created_by)
     select d.modification_id, a.attempt_id, a.payment_order_id, 'void', a.currency, true, d.void_cause, d.created_by
       from json_to_recordset($1::json) as d (modification_id text, attempt_id text, void_cause text, created_by text)
       join payment_attempts a on a.attempt_id = d.attempt_id
      order by a.attempt_id
     on conflict (attempt_id) where kind = 'void' and status <> 'failed'
     do update set void_cause = excluded.void_cause, updated_at = now()
      where m.void_cause = 'declined' and excluded.void_cause <> 'declined' and m.status <> 'succeeded'
     returning m.modification_id, m.xmax = 0 as is_new`,
    [JSON.stringify(drafts)],
  );
  return rows.filter(({ is_new }) => is_new).map(({ modification_id }) => modification_id);
}

export async function selectModificationIds(db: Queryable, attemptId: string): Promise<string[]> {
  const rows = await db.query<{ modification_id: string }>(
    "select modification_id from payment_modifications where attempt_id = $1",
    [attemptId],
  );
  return rows.map((row) => row.modification_id);
}

/** All modifications of an order's charges, oldest first. */
export function selectModifications(db: Queryable, paymentOrderId: string): Promise<ModificationRow[]> {
  return db.query<ModificationRow>(
    `select ${columns}
       from payment_modifications m
      where m.attempt_id in (
        select a.attempt_id from payment_attempts a
         where a.payment_order_id = $1
            or (a.payment_order_id is null and a.checkout_id = (select o.checkout_id from payment_orders o where o.payment_order_id = $1)))
      order by m.modification_id`,
    [paymentOrderId],
  );
}

export function selectModificationsById(
  db: Queryable,
  modificationIds: readonly string[],
): Promise<ModificationRow[]> {
  return db.query<ModificationRow>(
    `select ${columns} from payment_modifications m where m.modification_id = any ($1::text[])`,
    [textArray(modificationIds)],
  );
}

/** By a PSP's own references of them. */
export function selectModificationsByReference(
  db: Queryable,
  psp_reference: string,
): Promise<ModificationRow[]> {
  return db.query<ModificationRow>(
    `select ${columns} from payment_modifications m where m.psp_reference = $1`,
    [psp_reference],
  );
}

/** Whether the PSP may know a modification of the attempt by a reference that we have not heard yet. */
export async function hasUnnamedModification(db: Queryable, attemptId: string): Promise<boolean> {
  const rows = await db.query(
    "select 1 from payment_modifications where attempt_id = $1 and psp_reference is null and status in ('executing', 'pending', 'unknown')",
    [attemptId],
  );
  return rows.length > 0;
}

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
  readonly created_at: Timestamp;
  readonly attempt_id: AttemptId;
  readonly checkout_id: CheckoutId;
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

/** A person's word on what became of it. One that had failed is open again by that, and counts as under way; its order is locked by the caller. */
export async function storeResolution(
  tx: Queryable,
  { modification_id, status }: Pick<PursuableRow, "modification_id" | "status">,
  { outcome, note }: Resolution,
  actor: string,
): Promise<void> {
  await tx.query(
    `with resolved as (
       update payment_modifications
          set resolved_as = $2, resolution_note = $3, resolved_by = $4, due_at = now(), updated_at = now(),
              status = case status when 'failed' then 'unknown' else status end
        where modification_id = $1
       returning payment_order_id, kind, amount_minor
     )
     update payment_orders o set capturing_minor = o.capturing_minor + r.amount_minor, updated_at = now()
       from resolved r
      where o.payment_order_id = r.payment_order_id and r.kind = 'capture' and $5`,
    [modification_id, outcome, note, actor, status === "failed"],
  );
}

/** The PSP has ended authorisations while a capture of them was under way. */
export async function markAuthorizationsEnded(
  tx: Queryable,
  ended: readonly { readonly attempt_id: string; readonly authorization_ended_as: string }[],
): Promise<void> {
  if (ended.length === 0) return;
  await tx.query(
    `update payment_attempts a set authorization_ended_as = e.authorization_ended_as, updated_at = now()
       from json_to_recordset($1::json) as e (attempt_id text, authorization_ended_as text)
      where a.attempt_id = e.attempt_id`,
    [JSON.stringify(ended)],
  );
}

export type SettledModification = {
  readonly modification_id: string;
  readonly status: ModificationStatus;
  readonly psp_reference: string | null;
  readonly is_new_key: boolean;
  /** The PSP keeps a server error under the key. */
  readonly has_stored_failure: boolean;
  readonly is_inquired: boolean;
  readonly failure_class: string | null;
  readonly failure_code: string | null;
  readonly failure_message: string | null;
  readonly retry_delay_seconds: number | null;
};

/** Writes what came of modifications. */
export async function writeModifications(tx: Queryable, rows: readonly SettledModification[]): Promise<void> {
  if (rows.length === 0) return;
  await tx.query("select payments_settle_modifications($1)", [JSON.stringify(rows)]);
}

/**
 * Attempts whose authorisation, or whose buyer's time to confirm, has expired and that have no void yet. A
 * void that the PSP refused waits for a person.
 */
export async function selectExpiredAuthorizations(tx: Queryable, limit: number): Promise<string[]> {
  const rows = await tx.query<{ attempt_id: string }>(
    `select a.attempt_id
       from (
         select attempt_id, authorization_expires_at as ends_at
           from payment_attempts
          where status = 'authorized' and authorization_expires_at <= now()
         union all
         select attempt_id, next_action_expires_at
           from payment_attempts
          where next_action_expires_at <= now() and status = 'pending'
       ) a
      where not exists (
          select from payment_modifications m
           where m.attempt_id = a.attempt_id and (m.status not in ('succeeded', 'failed') or (m.void_cause = 'expired' and m.status = 'failed')))
      order by a.ends_at
      limit $1`,
    [limit],
  );
  return rows.map((row) => row.attempt_id);
}

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
