import type { Timestamp } from "../../db/db.ts";
import { formatAmount, toCurrencyCode } from "../../money/money.ts";
import type { NextActionView } from "./next-action.ts";
import type { CommissionRow } from "../store/commission-queries.ts";
import type { AttemptRow, CheckoutRow, OperationRow, OrderRow, OrderStatus } from "../model/model.ts";

/** The exact decimal string of an amount column. */
export const amountOf = (row: { readonly amount_minor: bigint; readonly currency: string }): string =>
  formatAmount({ amount_minor: row.amount_minor, currency: toCurrencyCode(row.currency) });

/**
 * The answer to a POST of a checkout (R141): states as they were when it was accepted, so that a repetition
 * gets the same bytes.
 */
export type AcceptedCheckout = {
  readonly object: "checkout";
  readonly checkout_id: string;
  readonly payment_event_status: "PROCESSING" | "COMPLETE";
  readonly risk_decision: string;
  readonly payment_orders: readonly {
    readonly payment_order_id: string;
    readonly seller_account: string;
    readonly amount: string;
    readonly currency: string;
    readonly status: OrderStatus;
  }[];
  readonly created_at: Timestamp;
  /** Only of a checkout that is paid on the PSP's page. */
  readonly hosted_page_url?: string | null;
  readonly status_url?: string;
  /** Only when the request preferred to wait for the PSP's answer. */
  readonly next_action?: NextActionView | null;
};

type Accepted = Pick<CheckoutRow, "checkout_id" | "risk_decision" | "created_at">;
type AcceptedOrder = Pick<OrderRow, "payment_order_id" | "seller_account" | "amount_minor" | "currency">;

/** The state in which the risk decision lets an order begin. */
export const firstStatus = {
  pass: "NOT_STARTED",
  review: "PENDING",
  reject: "CANCELED",
} as const satisfies Record<string, OrderStatus>;

export function acceptedView(event: Accepted, orders: readonly AcceptedOrder[]): AcceptedCheckout {
  return {
    object: "checkout",
    checkout_id: event.checkout_id,
    payment_event_status: "PROCESSING",
    risk_decision: event.risk_decision,
    payment_orders: orders.map((order) => ({
      payment_order_id: order.payment_order_id,
      seller_account: order.seller_account,
      amount: amountOf(order),
      currency: order.currency,
      status: firstStatus[event.risk_decision],
    })),
    created_at: event.created_at,
  };
}

/** One order as the API shows it (R142). */
export function orderView(order: OrderRow) {
  return {
    object: "payment_order" as const,
    payment_order_id: order.payment_order_id,
    checkout_id: order.checkout_id,
    buyer_account: order.buyer_account,
    seller_account: order.seller_account,
    amount: amountOf(order),
    currency: order.currency,
    capture_method: order.capture_method,
    captured_amount: amountOf({ amount_minor: order.captured_minor, currency: order.currency }),
    status: order.status,
    status_cause: order.status_cause,
    psp_token: order.psp_token,
    wallet_updated: order.wallet_updated,
    ledger_updated: order.ledger_updated,
    retry_count: order.retry_count,
    last_retry_at: order.last_retry_at,
    next_retry_at: order.next_retry_at,
    error_code: order.error_code,
    error_message: order.error_message,
    created_at: order.created_at,
    updated_at: order.updated_at,
  };
}

/** A whole checkout; `credit_card_info` without the token, which no reader needs. */
export function checkoutView(event: CheckoutRow, orders: readonly OrderRow[]) {
  return {
    object: "checkout" as const,
    checkout_id: event.checkout_id,
    payment_event_status: event.is_payment_done ? ("COMPLETE" as const) : ("PROCESSING" as const),
    is_payment_done: event.is_payment_done,
    buyer_info: event.buyer_info,
    seller_info: event.seller_info,
    credit_card_info:
      event.credit_card_info === null ? null : { last4: event.credit_card_info.last4 ?? null },
    hosted_page: event.hosted_page,
    external: event.external,
    /** Where the buyer comes back to. */
    return_url: event.hosted_page?.return_url ?? event.credit_card_info?.return_url ?? null,
    risk_decision: event.risk_decision,
    risk_reasons: [...event.risk_reasons],
    payment_orders: orders.map(orderView),
    created_at: event.created_at,
    updated_at: event.updated_at,
  };
}

export function attemptView(attempt: AttemptRow) {
  return {
    object: "payment_attempt" as const,
    attempt_id: attempt.attempt_id,
    attempt_number: attempt.attempt_number,
    psp: attempt.psp,
    psp_key: attempt.psp_key,
    psp_reference: attempt.psp_reference,
    status: attempt.status,
    inquiry_count: attempt.inquiry_count,
    psp_call_ms: attempt.psp_call_ms,
    failure_class: attempt.failure_class,
    failure_code: attempt.failure_code,
    failure_message: attempt.failure_message,
    page_token: attempt.page_token,
    page_expires_at: attempt.page_expires_at,
    authorization_expires_at: attempt.authorization_expires_at,
    resolution:
      attempt.resolved_as === null
        ? null
        : {
            outcome: attempt.resolved_as,
            psp_reference: attempt.resolution_reference,
            note: attempt.resolution_note,
            actor: attempt.resolved_by,
            due_at: attempt.resolution_due_at,
          },
    created_at: attempt.created_at,
    updated_at: attempt.updated_at,
  };
}

/** What the platform took of one capture, or gave back of it. */
export const commissionView = (commission: CommissionRow) => ({
  component: commission.component,
  rule: commission.rule,
  basis_points: commission.basis_points,
  amount: amountOf(commission),
  currency: commission.currency,
  capture_id: commission.capture_id,
});

/** The answer to a capture: as it was when it was asked for, so that a repetition gets the same bytes. */
export const acceptedOperationView = (operation: OperationRow): ReturnType<typeof operationView> =>
  operationView({
    ...operation,
    status: "queued",
    psp_reference: null,
    failure_code: null,
    failure_message: null,
    resolved_as: null,
    resolved_by: null,
    resolution_note: null,
    updated_at: operation.created_at,
  });

/** A capture or a void as the API shows it. */
export function operationView(operation: OperationRow) {
  const { amount_minor, currency } = operation;
  return {
    object: "payment_operation" as const,
    operation_id: operation.operation_id,
    kind: operation.kind,
    capture_id: operation.capture_id,
    payment_order_id: operation.payment_order_id,
    attempt_id: operation.attempt_id,
    amount: amount_minor === null ? null : amountOf({ amount_minor, currency }),
    currency,
    is_final: operation.is_final,
    void_cause: operation.void_cause,
    status: operation.status,
    psp_reference: operation.psp_reference,
    failure_code: operation.failure_code,
    failure_message: operation.failure_message,
    resolution:
      operation.resolved_as === null
        ? null
        : { outcome: operation.resolved_as, note: operation.resolution_note, actor: operation.resolved_by },
    created_at: operation.created_at,
    updated_at: operation.updated_at,
  };
}
