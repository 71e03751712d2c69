import { textArray, type Queryable } from "../db/db.ts";
import type { AttemptRow, OrderRow } from "./model.ts";
import { attemptColumns, orderColumns } from "./queries.ts";

/** Locks orders in key order and gives them. */
export function lockOrders(tx: Queryable, paymentOrderIds: readonly string[]): Promise<OrderRow[]> {
  return tx.query<OrderRow>(
    `select ${orderColumns} from payment_orders o
      where o.payment_order_id = any ($1::text[])
      order by o.payment_order_id
        for no key update`,
    [textArray(paymentOrderIds)],
  );
}

/** Attempts by id; their orders are locked, so nobody else changes them. */
export function selectAttemptsById(tx: Queryable, attemptIds: readonly string[]): Promise<AttemptRow[]> {
  return tx.query<AttemptRow>(
    `select ${attemptColumns} from payment_attempts a where a.attempt_id = any ($1::text[])`, [textArray(attemptIds)]);
}

/** The open attempt of each of these orders, or none. */
export function selectOpenAttempts(tx: Queryable, paymentOrderIds: readonly string[]): Promise<AttemptRow[]> {
  return tx.query<AttemptRow>(
    `select ${attemptColumns} from payment_attempts a
      where a.payment_order_id = any ($1::text[]) and a.status in ('executing', 'pending', 'unknown')`,
    [textArray(paymentOrderIds)],
  );
}

/** The number of the last attempt of each order that has any, and the card token to charge. */
export function selectExecutionDetails(
  tx: Queryable, paymentOrderIds: readonly string[],
): Promise<{ payment_order_id: string; attempt_count: number; card_token: string }[]> {
  return tx.query(
    `select o.payment_order_id, e.credit_card_info ->> 'token' as card_token,
            (select count(*)::int from payment_attempts a where a.payment_order_id = o.payment_order_id) as attempt_count
       from payment_orders o
       join payment_events e on e.checkout_id = o.checkout_id
      where o.payment_order_id = any ($1::text[])`,
    [textArray(paymentOrderIds)],
  );
}

export type NewAttempt = {
  readonly attempt_id: string;
  readonly checkout_id: string;
  readonly payment_order_id: string;
  readonly attempt_number: number;
  readonly psp: string;
  readonly psp_key: string;
};

/** Opens attempts and moves their orders to EXECUTING. */
export async function openAttempts(tx: Queryable, attempts: readonly NewAttempt[], actor: string): Promise<void> {
  if (attempts.length === 0) return;
  await tx.query(
    `with opened as (
       insert into payment_attempts (attempt_id, checkout_id, payment_order_id, attempt_number, psp, psp_key, amount_minor, currency)
       select n.attempt_id, n.checkout_id, n.payment_order_id, n.attempt_number, n.psp, n.psp_key, o.amount_minor, o.currency
         from json_to_recordset($1::json)
              as n (attempt_id text, checkout_id text, payment_order_id text, attempt_number integer, psp text, psp_key text)
         join payment_orders o on o.payment_order_id = n.payment_order_id
     )
     update payment_orders o
        set status = 'EXECUTING', status_cause = 'execution_started', status_actor = $2, attempt_id = n.attempt_id,
            psp_nonce = n.psp_key, updated_at = now(), next_retry_at = null,
            retry_count = case when o.status = 'RETRY_SCHEDULED' then o.retry_count + 1 else o.retry_count end,
            last_retry_at = case when o.status = 'RETRY_SCHEDULED' then now() else o.last_retry_at end
       from json_to_recordset($1::json) as n (attempt_id text, payment_order_id text, psp_key text)
      where o.payment_order_id = n.payment_order_id`,
    [JSON.stringify(attempts), actor],
  );
}

export type SettledOrder = {
  readonly payment_order_id: string;
  readonly attempt_id: string;
  readonly order_status: string;
  readonly cause: string;
  readonly actor: string;
  readonly attempt_status: string;
  readonly psp_reference: string | null;
  readonly failure_class: string | null;
  readonly error_code: string | null;
  readonly error_message: string | null;
  readonly is_booked: boolean;
  readonly is_inquired: boolean;
  readonly psp_call_ms: number | null;
  readonly retry_delay_seconds: number | null;
};

/**
 * Writes the outcome of a batch: attempts, orders, and how many orders of each checkout are left.
 * A checkout whose last order succeeded is done, and says so in an event.
 */
export async function writeSettlement(tx: Queryable, rows: readonly SettledOrder[]): Promise<void> {
  await tx.query(
    `with settled as materialized (
       select * from json_to_recordset($1::json)
         as s (payment_order_id text, attempt_id text, order_status payment_order_status, cause text, actor text,
               attempt_status payment_attempt_status, psp_reference text, failure_class text, error_code text,
               error_message text, is_booked boolean, is_inquired boolean, psp_call_ms real, retry_delay_seconds double precision)
     ), attempts as (
       update payment_attempts a
          set status = s.attempt_status, psp_reference = coalesce(s.psp_reference, a.psp_reference),
              inquiry_count = a.inquiry_count + s.is_inquired::int,
              psp_call_ms = coalesce(s.psp_call_ms, a.psp_call_ms),
              failure_class = s.failure_class, failure_code = s.error_code, failure_message = left(s.error_message, 500),
              updated_at = now()
         from settled s
        where a.attempt_id = s.attempt_id
     ), orders as (
       update payment_orders o
          set status = s.order_status, status_cause = s.cause, status_actor = s.actor, attempt_id = s.attempt_id,
              psp_token = coalesce(s.psp_reference, o.psp_token),
              wallet_updated = o.wallet_updated or s.is_booked, ledger_updated = o.ledger_updated or s.is_booked,
              error_code = s.error_code, error_message = left(s.error_message, 500),
              next_retry_at = now() + s.retry_delay_seconds * interval '1 second', updated_at = now()
         from settled s
        where o.payment_order_id = s.payment_order_id
       returning o.checkout_id, s.is_booked
     ), done as (
       update payment_events e
          set unfinished_order_count = e.unfinished_order_count - c.booked_count,
              is_payment_done = e.unfinished_order_count - c.booked_count = 0,
              updated_at = now()
         from (select checkout_id, count(*) as booked_count from orders where is_booked group by checkout_id order by checkout_id) c
        where e.checkout_id = c.checkout_id
       returning e.checkout_id, e.is_payment_done
     )
     insert into events (type, subject_id)
     select 'checkout.completed', checkout_id from done where is_payment_done`,
    [JSON.stringify(rows)],
  );
}
