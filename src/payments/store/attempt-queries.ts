import { textArray, type Queryable, type Timestamp } from "../../db/db.ts";
import type { AttemptId, CheckoutId, PaymentOrderId } from "../../ids.ts";
import type { CaptureMethod, Turn } from "../../psp/psp.ts";
import { amount_mismatch, type AttemptRow, type HostedPage, type OrderStatus } from "../model/model.ts";
import { attemptColumns, inFlight } from "./queries.ts";

/** Attempts by id. */
export function selectAttemptsById(tx: Queryable, attemptIds: readonly string[]): Promise<AttemptRow[]> {
  return tx.query<AttemptRow>(
    `select ${attemptColumns} from payment_attempts a where a.attempt_id = any ($1::text[])`,
    [textArray(attemptIds)],
  );
}

/** An attempt as this process has taken it up. */
export type TakenAttempt = AttemptRow & {
  readonly epoch: number;
  readonly turn: Exclude<Turn, "first_send">;
  /** When a process last took it up that may have sent a request. */
  readonly sent_at: Timestamp;
  /** Nothing may be sent before a person has dealt with it. */
  readonly has_discrepancy: boolean;
};

/**
 * Takes open attempts up again, by id, under their orders' locks: each gets a new epoch, so that a failure to
 * send that an earlier holder reports late proves nothing. Resolved attempts are recorded without another
 * call. With an open discrepancy the PSP is only asked: the first request may not have arrived. Where a wrong
 * amount was taken, only a person may say that nothing was. `keySeconds`: how long each PSP is certain to
 * remember a key.
 */
export function takeUpAttempts(
  tx: Queryable,
  attemptIds: readonly string[],
  keySeconds: Readonly<Record<string, number>>,
  quietSeconds: number,
): Promise<TakenAttempt[]> {
  return tx.query<TakenAttempt>(
    `update payment_attempts a
        set epoch = a.epoch + 1, sent_at = case t.turn when 'ask_then_send' then now() else a.sent_at end
       from (
         select o.attempt_id, o.has_discrepancy,
                case when o.failure_code = $4 then 'ask_only'
                     else payments_turn(o.created_at, o.sent_at, o.has_stored_failure or o.has_discrepancy,
                                        ($2::jsonb ->> o.psp)::float8, $3)
                end as turn
           from (
             select *, payments_has_discrepancy(checkout_id, payment_order_id) as has_discrepancy
               from payment_attempts
              where attempt_id = any ($1::text[]) and status in ${inFlight}
                and resolved_as is null
             offset 0
           ) o
       ) t
      where a.attempt_id = t.attempt_id
     returning ${attemptColumns}, a.epoch, t.turn, a.sent_at, t.has_discrepancy`,
    [textArray(attemptIds), JSON.stringify(keySeconds), quietSeconds, amount_mismatch],
  );
}

/** What the execution of an order needs to know. */
export type ExecutableRow = {
  readonly payment_order_id: PaymentOrderId;
  readonly checkout_id: CheckoutId;
  readonly status: OrderStatus;
  readonly amount_minor: bigint;
  readonly currency: string;
  readonly capture_method: CaptureMethod;
  /** Null when it is not paid by card token. */
  readonly card_token: string | null;
  readonly return_url: string | null;
  readonly hosted_page: HostedPage | null;
  /** The external account that collects the money; null: it is charged at a PSP. */
  readonly external_psp: string | null;
  readonly card_country: string | null;
  /** PSPs at which an earlier attempt certainly did nothing. */
  readonly tried_psps: readonly string[] | null;
  readonly attempt_count: number;
  readonly open_attempt_id: AttemptId | null;
  /** Of a page: about any order of its checkout. */
  readonly has_discrepancy: boolean;
};

/** Locks orders in key order for their execution. */
export function lockForExecution(
  tx: Queryable,
  paymentOrderIds: readonly string[],
): Promise<ExecutableRow[]> {
  return tx.query<ExecutableRow>("select * from payments_lock_for_execution($1)", [
    textArray(paymentOrderIds),
  ]);
}

export type NewAttempt = {
  readonly attempt_id: AttemptId;
  readonly checkout_id: CheckoutId;
  /** Null: it covers every order of the checkout. */
  readonly payment_order_id: PaymentOrderId | null;
  readonly attempt_number: number;
  readonly psp: string;
  readonly psp_key: string;
  readonly psp_reference: null;
  readonly page_token: null;
  /** Null: it charges a card. */
  readonly page_expires_at: Timestamp | null;
  readonly amount_minor: bigint;
  readonly currency: string;
  readonly capture_method: CaptureMethod;
};

/** As JSON for `payments_open_attempts` and `payments_take_checkouts`. */
export const attemptsJson = (attempts: readonly NewAttempt[]): string =>
  JSON.stringify(attempts.map((attempt) => ({ ...attempt, amount_minor: String(attempt.amount_minor) })));

/** Opens attempts and moves their orders to EXECUTING. */
export async function openAttempts(
  tx: Queryable,
  attempts: readonly NewAttempt[],
  actor: string,
): Promise<void> {
  if (attempts.length === 0) return;
  await tx.query("select payments_open_attempts($1, $2)", [attemptsJson(attempts), actor]);
}

export type StaleAttempt = { readonly attempt_id: AttemptId; readonly payment_order_id: string };

/** Attempts that are `executing` for longer than the lease, the oldest first, each with an order of it. */
export function selectStaleAttempts(
  db: Queryable,
  leaseSeconds: number,
  limit: number,
): Promise<StaleAttempt[]> {
  return db.query<StaleAttempt>(
    `select a.attempt_id, coalesce(a.payment_order_id, (
              select o.payment_order_id from payment_orders o
               where o.checkout_id = a.checkout_id
               order by o.position limit 1
            )) as payment_order_id
       from payment_attempts a
      where a.status = 'executing' and a.updated_at < now() - $1 * interval '1 second'
      order by a.updated_at
      limit $2`,
    [leaseSeconds, limit],
  );
}

/** Takes the attempts that are still stale for another lease, and gives their ids. */
export async function renewStaleAttempts(
  tx: Queryable,
  attemptIds: readonly string[],
  leaseSeconds: number,
): Promise<string[]> {
  const rows = await tx.query<{ attempt_id: string }>(
    `update payment_attempts a set updated_at = now(), epoch = a.epoch + 1
       from (
         select attempt_id from payment_attempts
          where attempt_id = any ($1::text[]) and status = 'executing'
            and updated_at < now() - $2 * interval '1 second'
          order by attempt_id
            for no key update skip locked
       ) stale
      where a.attempt_id = stale.attempt_id
     returning a.attempt_id`,
    [textArray(attemptIds), leaseSeconds],
  );
  return rows.map((row) => row.attempt_id);
}
