import { textArray, type Queryable, type Timestamp } from "../../db/db.ts";
import type { AttemptRow, Cause, CheckoutRow, OrderRow, OrderStatus } from "../model/model.ts";

export const orderColumns = `
  o.payment_order_id, o.checkout_id, o.buyer_account, o.seller_account, o.amount_minor, o.currency::text,
  o.capture_method, o.captured_minor, o.capturing_minor, o.status, o.status_cause, o.attempt_id, o.psp_token,
  o.wallet_updated, o.ledger_updated, o.retry_count, o.last_retry_at, o.next_retry_at, o.error_code,
  o.error_message, o.created_at, o.updated_at`;

export const attemptColumns = `
  a.attempt_id, a.checkout_id, a.payment_order_id, a.attempt_number, a.psp, a.psp_key, a.psp_reference,
  a.amount_minor, a.currency::text, a.status, a.inquiry_count, a.psp_call_ms, a.failure_class, a.failure_code,
  a.failure_message, a.page_token, a.page_url, a.page_expires_at, a.capture_method,
  a.authorization_expires_at, a.resolved_as, a.resolution_reference, a.resolution_note, a.resolved_by,
  a.resolution_due_at, a.next_action, a.next_action_expires_at, a.created_at, a.updated_at`;

const eventColumns = `
  e.checkout_id, e.buyer_info, e.seller_info, e.credit_card_info, e.hosted_page, e.external,
  e.is_payment_done, e.risk_decision, e.risk_reasons, e.status_link_revoked_at, e.created_at, e.updated_at`;

/** Of attempts and operations: the PSP may have been asked, and the outcome is not known. */
export const inFlight = "('executing', 'pending', 'unknown')";

/** Of operations: not decided, and perhaps not begun. */
export const openOperation = "('queued', 'executing', 'pending', 'unknown')";

/** Whether the attempt `a` is one of the order $1: its own, or a page of its checkout. */
export const isAttemptOfOrder = `(
  a.payment_order_id = $1
  or (a.payment_order_id is null
      and a.checkout_id = (select o.checkout_id from payment_orders o where o.payment_order_id = $1)))`;

export async function selectOrder(db: Queryable, paymentOrderId: string): Promise<OrderRow | undefined> {
  const [row] = await db.query<OrderRow>(
    `select ${orderColumns} from payment_orders o where o.payment_order_id = $1`,
    [paymentOrderId],
  );
  return row;
}

/** Locks one order for a decision about it. */
export async function lockOrder(tx: Queryable, paymentOrderId: string): Promise<OrderRow | undefined> {
  const [row] = await tx.query<OrderRow>(
    `select ${orderColumns} from payment_orders o where o.payment_order_id = $1 for no key update`,
    [paymentOrderId],
  );
  return row;
}

/** Locks orders, in key order. */
export async function lockOrders(tx: Queryable, paymentOrderIds: readonly string[]): Promise<void> {
  await tx.query(
    `select from payment_orders o
      where o.payment_order_id = any ($1::text[])
      order by o.payment_order_id for no key update`,
    [textArray(paymentOrderIds)],
  );
}

/** Locks all orders of a checkout, in key order. */
export function lockOrdersOfCheckout(tx: Queryable, checkoutId: string): Promise<OrderRow[]> {
  return tx.query<OrderRow>(
    `select ${orderColumns} from payment_orders o
      where o.checkout_id = $1
      order by o.payment_order_id for no key update`,
    [checkoutId],
  );
}

export async function selectCheckout(db: Queryable, checkoutId: string): Promise<CheckoutRow | undefined> {
  const [row] = await db.query<CheckoutRow>(
    `select ${eventColumns} from payment_events e where e.checkout_id = $1`,
    [checkoutId],
  );
  return row;
}

/** The orders of some checkouts in the order in which the client sent them. */
export function selectOrdersOfCheckouts(db: Queryable, checkoutIds: readonly string[]): Promise<OrderRow[]> {
  return db.query<OrderRow>(
    `select ${orderColumns} from payment_orders o
      where o.checkout_id = any ($1::text[])
      order by o.checkout_id, o.position`,
    [textArray(checkoutIds)],
  );
}

export function selectAttempts(db: Queryable, paymentOrderId: string): Promise<AttemptRow[]> {
  return db.query<AttemptRow>(
    `select ${attemptColumns} from payment_attempts a
      where ${isAttemptOfOrder}
      order by a.attempt_number`,
    [paymentOrderId],
  );
}

/**
 * The attempts of a checkout that its buyer may still pay. While a discrepancy waits they may have paid
 * already.
 */
export function selectPayableAttempts(db: Queryable, checkoutId: string): Promise<AttemptRow[]> {
  return db.query<AttemptRow>(
    `select ${attemptColumns}
       from payment_attempts a
      where a.status in ${inFlight}
        and (a.payment_order_id in (select o.payment_order_id from payment_orders o where o.checkout_id = $1)
             or (a.payment_order_id is null and a.checkout_id = $1))
        and not payments_has_discrepancy(a.checkout_id, a.payment_order_id)
      order by a.created_at, a.attempt_id`,
    [checkoutId],
  );
}

/** The attempt that pays a whole checkout on the PSP's page; the last one, if there were several. */
export async function selectPageAttempt(db: Queryable, checkoutId: string): Promise<AttemptRow | undefined> {
  const [row] = await db.query<AttemptRow>(
    `select ${attemptColumns} from payment_attempts a
      where a.checkout_id = $1 and a.payment_order_id is null
      order by a.created_at desc, a.attempt_id desc
      limit 1`,
    [checkoutId],
  );
  return row;
}

export type TransitionRow = {
  readonly from_status: OrderStatus | null;
  readonly to_status: OrderStatus;
  readonly cause: string;
  readonly actor: string;
  readonly attempt_id: string | null;
  readonly occurred_at: Timestamp;
};

export function selectTransitions(db: Queryable, paymentOrderId: string): Promise<TransitionRow[]> {
  return db.query<TransitionRow>(
    `select from_status, to_status, cause, actor, attempt_id, occurred_at
       from payment_order_transitions where payment_order_id = $1 order by transition_number`,
    [paymentOrderId],
  );
}

export type OrderFilter = {
  readonly status?: string;
  readonly currency?: string;
  readonly seller_account?: string;
  readonly buyer_account?: string;
  readonly checkout_id?: string;
  readonly created_from?: Timestamp;
  readonly created_until?: Timestamp;
  readonly before?: { readonly created_at: Timestamp; readonly id: string };
  readonly limit: number;
};

/** Newest first, keyset on (created_at, payment_order_id). */
export function selectOrders(db: Queryable, filter: OrderFilter): Promise<OrderRow[]> {
  return db.query<OrderRow>(
    `select ${orderColumns}
       from payment_orders o
      where ($1::payment_order_status is null or o.status = $1)
        and ($2::text is null or o.currency = $2)
        and ($3::text is null or o.seller_account = $3)
        and ($4::text is null or o.buyer_account = $4)
        and ($5::text is null or o.checkout_id = $5)
        and ($6::timestamptz is null or o.created_at >= $6)
        and ($7::timestamptz is null or o.created_at < $7)
        and ($8::timestamptz is null or (o.created_at, o.payment_order_id) < ($8, $9::text))
      order by o.created_at desc, o.payment_order_id desc
      limit $10`,
    [
      filter.status ?? null,
      filter.currency ?? null,
      filter.seller_account ?? null,
      filter.buyer_account ?? null,
      filter.checkout_id ?? null,
      filter.created_from ?? null,
      filter.created_until ?? null,
      filter.before?.created_at ?? null,
      filter.before?.id ?? null,
      filter.limit,
    ],
  );
}

export type OrderMove = {
  readonly payment_order_id: string;
  readonly status: OrderStatus;
  readonly cause: string;
  readonly actor: string;
};

/** Moves one order whose money did not move; the database checks the transition and writes the history. */
export async function moveOrder(
  tx: Queryable,
  move: OrderMove & { readonly is_retry?: boolean; readonly card_token?: string },
): Promise<OrderRow> {
  const [row] = await tx.query<OrderRow>(
    `update payment_orders o
        set status = $2, status_cause = $3, status_actor = $4, next_retry_at = null, updated_at = now(),
            retry_count = o.retry_count + $5::int,
            last_retry_at = case when $5::int > 0 then now() else o.last_retry_at end,
            card_token = coalesce($6, o.card_token)
      where o.payment_order_id = $1
     returning ${orderColumns}`,
    [
      move.payment_order_id,
      move.status,
      move.cause,
      move.actor,
      move.is_retry === true ? 1 : 0,
      move.card_token ?? null,
    ],
  );
  if (row === undefined) throw new Error(`the order ${move.payment_order_id} disappeared while locked`);
  return row;
}

/** Ends locked orders that no PSP can take: FAILED, with the reason. No money moved. */
export async function failOrders(
  tx: Queryable,
  paymentOrderIds: readonly string[],
  failure: { readonly cause: Cause; readonly actor: string; readonly message: string },
): Promise<void> {
  await tx.query(
    `update payment_orders
        set status = 'FAILED', status_cause = $2, status_actor = $3,
            error_code = $2, error_message = left($4, 500), next_retry_at = null, updated_at = now()
      where payment_order_id = any ($1::text[])`,
    [textArray(paymentOrderIds), failure.cause, failure.actor, failure.message],
  );
}

/** When the links were revoked; undefined if there is no such checkout, or they were revoked before. */
export async function revokeStatusLinks(tx: Queryable, checkoutId: string): Promise<Timestamp | undefined> {
  const [row] = await tx.query<{ status_link_revoked_at: Timestamp }>(
    `update payment_events set status_link_revoked_at = now()
      where checkout_id = $1 and status_link_revoked_at is null
     returning status_link_revoked_at`,
    [checkoutId],
  );
  return row?.status_link_revoked_at;
}

/** Orders that are not final, by state, with the age of the oldest. */
export function selectInFlight(
  db: Queryable,
  at: Date,
): Promise<{ status: OrderStatus; count: number; oldest_seconds: number }[]> {
  return db.query(
    `select status, count(*)::int as count,
            extract(epoch from $1::timestamptz - min(created_at))::float8 as oldest_seconds
       from payment_orders
      where status <> 'SUCCESS'
        and status in ('NOT_STARTED', 'EXECUTING', 'PENDING', 'UNKNOWN', 'RETRY_SCHEDULED', 'AUTHORIZED')
      group by status`,
    [at.toISOString()],
  );
}
