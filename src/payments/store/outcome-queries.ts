import { textArray, type Queryable, type Timestamp } from "../../db/db.ts";
import type { AttemptId, CheckoutId, OperationId, PaymentOrderId } from "../../ids.ts";
import type { CaptureMethod, FailureClass } from "../../psp/psp.ts";
import type {
  AttemptRow,
  AttemptStatus,
  Cause,
  OperationStatus,
  OrderStatus,
  VoidCause,
} from "../model/model.ts";

/**
 * An order under its lock, the attempt that a report is about, and the operation that it names or that is in
 * flight.
 */
export type OpenRow = {
  readonly payment_order_id: PaymentOrderId;
  readonly checkout_id: CheckoutId;
  readonly seller_account: string;
  readonly amount_minor: bigint;
  readonly currency: string;
  readonly status: OrderStatus;
  readonly status_cause: Cause;
  readonly captured_minor: bigint;
  readonly capturing_minor: bigint;
  /** How often its payment failed after it was booked. */
  readonly failed_capture_count: number;
  readonly commission_rule: string;
  readonly commission_basis_points: bigint;
  readonly attempt_id: AttemptId;
  readonly attempt_amount_minor: bigint;
  readonly page_token: string | null;
  readonly psp: string;
  readonly psp_reference: string | null;
  readonly attempt_status: AttemptStatus;
  readonly attempt_number: number;
  readonly epoch: number;
  readonly inquiry_count: number;
  readonly failure_class: FailureClass | null;
  readonly failure_code: string | null;
  readonly failure_message: string | null;
  readonly capture_method: CaptureMethod;
  readonly authorization_ended_as: "canceled" | "expired" | null;
  readonly resolved_as: AttemptRow["resolved_as"];
  readonly resolution_reference: string | null;
  readonly has_next_action: boolean;
} & (OpenOperation | { readonly operation_id: null });

type OpenOperation = {
  readonly operation_id: OperationId;
  readonly operation_kind: string;
  readonly lane: string;
  readonly unknown_inquiries_max: number;
  readonly accepted_inquiries_max: number;
  readonly operation_status: OperationStatus;
  readonly operation_amount_minor: bigint | null;
  readonly capture_id: string | null;
  readonly is_final: boolean;
  readonly void_cause: VoidCause | null;
  readonly key_number: number;
  readonly operation_epoch: number;
  readonly operation_inquiry_count: number;
  readonly operation_psp_reference: string | null;
  readonly operation_failure_code: string | null;
};

/** Locks orders in key order and gives what a decision about each needs. */
export function lockForOutcomes(
  tx: Queryable,
  reports: readonly {
    readonly payment_order_id: string;
    readonly attempt_id: string;
    readonly operation_id: string | null;
  }[],
): Promise<OpenRow[]> {
  return tx.query<OpenRow>("select * from payments_lock_for_outcomes($1, $2, $3)", [
    textArray(reports.map((one) => one.payment_order_id)),
    textArray(reports.map((one) => one.attempt_id)),
    textArray(reports.map((one) => one.operation_id)),
  ]);
}

/** The orders that a page's attempt charges, by the attempt. */
export async function selectOrdersOfAttempts(
  tx: Queryable,
  attemptIds: readonly string[],
): Promise<ReadonlyMap<string, readonly PaymentOrderId[]>> {
  const rows = await tx.query<{ attempt_id: string; payment_order_ids: PaymentOrderId[] }>(
    `select c.attempt_id, array_agg(o.payment_order_id::text order by o.position) as payment_order_ids
       from payment_attempt_orders c
       join payment_orders o on o.payment_order_id = c.payment_order_id
      where c.attempt_id = any ($1::text[])
      group by c.attempt_id`,
    [textArray(attemptIds)],
  );
  return new Map(rows.map((row) => [row.attempt_id, row.payment_order_ids]));
}

export type OrderChange = {
  readonly payment_order_id: string;
  readonly attempt_id: string;
  readonly order_status: string;
  readonly cause: string;
  readonly actor: string;
  /** Digits; a JSON number could not hold every bigint. */
  readonly captured_minor: string;
  readonly attempt_status: string;
  readonly psp_reference: string | null;
  readonly failure_class: string | null;
  readonly error_code: string | null;
  readonly error_message: string | null;
  /** 1: it became SUCCESS; -1: it is no longer SUCCESS. */
  readonly paid_change: number;
  readonly is_inquired: boolean;
  readonly psp_call_ms: number | null;
  readonly retry_delay_seconds: number | null;
  readonly psp_token: string | null;
  readonly page_token: string | null;
  readonly page_url: string | null;
  readonly authorization_expires_at: Timestamp | null;
  /** The PSP keeps a server error under the attempt's key. */
  readonly has_stored_failure: boolean;
  /** Sealed. */
  readonly next_action: string | null;
  readonly next_action_expires_at: Timestamp | null;
  /** The stored next action and its end stay as they are. */
  readonly keeps_next_action: boolean;
};

/** Writes the outcome of a batch: attempts, orders, and how many orders of each checkout are left. */
export async function writeOrderChanges(tx: Queryable, rows: readonly OrderChange[]): Promise<void> {
  if (rows.length === 0) return;
  await tx.query("select payments_write_outcomes($1)", [JSON.stringify(rows)]);
}
