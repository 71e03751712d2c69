import type { Timestamp } from "../../db/db.ts";
import type { AttemptId, CheckoutId, OperationId, PaymentOrderId } from "../../ids.ts";
import type { Money } from "../../money/money.ts";
import type { CaptureMethod, FailureClass } from "../../psp/psp.ts";

export type OrderStatus =
  | "NOT_STARTED"
  | "EXECUTING"
  | "PENDING"
  | "UNKNOWN"
  | "RETRY_SCHEDULED"
  | "AUTHORIZED"
  | "SUCCESS"
  | "FAILED"
  | "CANCELED";

export type AttemptStatus =
  | "executing"
  | "pending"
  | "unknown"
  | "authorized"
  | "succeeded"
  | "declined"
  | "not_sent"
  | "canceled";

export const openAttemptStatuses: readonly AttemptStatus[] = ["executing", "pending", "unknown"];

/** Why an order changed its state; written into its history. docs/causes.md explains each, in this order. */
export const causes = [
  "accepted",
  "risk_review",
  "risk_rejected",
  "review_approved",
  "review_rejected",
  "execution_started",
  "psp_succeeded",
  "psp_declined",
  "psp_pending",
  "psp_unknown",
  "psp_refused",
  "psp_not_reached",
  "retries_exhausted",
  "manual_retry",
  "redrive",
  "canceled",
  "expired",
  "page_opened",
  "psp_authorized",
  "captured",
  "rest_released",
  "capture_failed",
  "no_psp",
  "discrepancy",
] as const;
export type Cause = (typeof causes)[number];

export type BuyerInfo = { readonly user_id: string; readonly email: string; readonly name?: string };
export type HostedPage = { readonly return_url: string };
/** Collected outside a PSP's API, by this account. */
export type External = { readonly psp: string };
export type CardInfo = {
  readonly token: string;
  readonly last4?: string | undefined;
  readonly country?: string | undefined;
  /** Where the buyer comes back to after a step at the bank. */
  readonly return_url?: string | undefined;
};

/** A checkout as the HTTP door hands it over: checked, with exact amounts. */
export type CheckoutDraft = {
  readonly checkout_id: CheckoutId;
  readonly buyer_info: BuyerInfo;
  readonly seller_info: Record<string, string> | null;
  /** How it is paid: a card token, the PSP's page, or money that is collected elsewhere. */
  readonly payment_method:
    | { readonly card: CardInfo }
    | { readonly hosted_page: HostedPage }
    | { readonly external: External };
  readonly capture_method: CaptureMethod;
  readonly orders: readonly {
    readonly payment_order_id: PaymentOrderId;
    readonly seller_account: string;
    readonly money: Money;
  }[];
};

/** One payment order with all its columns. */
export type OrderRow = {
  readonly payment_order_id: PaymentOrderId;
  readonly checkout_id: CheckoutId;
  readonly buyer_account: string;
  readonly seller_account: string;
  readonly amount_minor: bigint;
  readonly currency: string;
  readonly capture_method: CaptureMethod;
  /** What was taken so far, and what captures under way ask for. */
  readonly captured_minor: bigint;
  readonly capturing_minor: bigint;
  readonly status: OrderStatus;
  readonly status_cause: Cause;
  /** The attempt that it is in, or was in last. */
  readonly attempt_id: AttemptId | null;
  readonly psp_token: string | null;
  readonly wallet_updated: boolean;
  readonly ledger_updated: boolean;
  readonly retry_count: number;
  readonly last_retry_at: Timestamp | null;
  readonly next_retry_at: Timestamp | null;
  readonly error_code: string | null;
  readonly error_message: string | null;
  readonly created_at: Timestamp;
  readonly updated_at: Timestamp;
};

export type CheckoutRow = {
  readonly checkout_id: CheckoutId;
  readonly buyer_info: BuyerInfo;
  readonly seller_info: Record<string, string> | null;
  /** Two of the three are null. */
  readonly credit_card_info: CardInfo | null;
  readonly hosted_page: HostedPage | null;
  readonly external: External | null;
  readonly is_payment_done: boolean;
  readonly risk_decision: "pass" | "review" | "reject";
  readonly risk_reasons: readonly string[];
  readonly status_link_revoked_at: Timestamp | null;
  readonly created_at: Timestamp;
  readonly updated_at: Timestamp;
};

export type AttemptRow = {
  readonly attempt_id: AttemptId;
  readonly checkout_id: CheckoutId;
  readonly payment_order_id: PaymentOrderId | null;
  readonly attempt_number: number;
  readonly psp: string;
  readonly psp_key: string;
  readonly psp_reference: string | null;
  readonly amount_minor: bigint;
  readonly currency: string;
  readonly status: AttemptStatus;
  readonly inquiry_count: number;
  readonly psp_call_ms: number | null;
  readonly failure_class: FailureClass | null;
  readonly failure_code: string | null;
  readonly failure_message: string | null;
  readonly page_token: string | null;
  readonly page_url: string | null;
  readonly page_expires_at: Timestamp | null;
  readonly capture_method: CaptureMethod;
  readonly authorization_expires_at: Timestamp | null;
  /** What a person saw at the PSP; recorded from `resolution_due_at` on. */
  readonly resolved_as: AttemptResolution["outcome"] | null;
  readonly resolution_reference: string | null;
  readonly resolution_note: string | null;
  readonly resolved_by: string | null;
  readonly resolution_due_at: Timestamp | null;
  /** What the buyer must do, sealed; and until when. */
  readonly next_action: string | null;
  readonly next_action_expires_at: Timestamp | null;
  readonly created_at: Timestamp;
  readonly updated_at: Timestamp;
};

/**
 * The outcome of an attempt that a person saw at the PSP, and how they know. Only `failed` may lack reference
 * and amount.
 */
export type AttemptResolution = {
  readonly outcome: "succeeded" | "authorized" | "failed";
  readonly psp_reference: string | null;
  readonly money: Money | null;
  readonly note: string;
  /** The dead letters about the attempt that were read. */
  readonly dead_letter_ids: readonly string[];
};

export type OperationStatus = "queued" | "executing" | "pending" | "unknown" | "succeeded" | "failed";

/**
 * Why a charge is voided: somebody asked, its time was over, or the buyer's card was declined while it
 * could still be paid with another one.
 */
export type VoidCause = "canceled" | "expired" | "declined";

/** The outcome that a person saw at the PSP, and how they know it. */
export type Resolution = { readonly outcome: "succeeded" | "failed"; readonly note: string };

/** The code of a failure that a person has seen at the PSP. */
export const resolved_by_person = "resolved_by_person";

export type Resolved =
  | { readonly resolved_as: null; readonly resolved_by: null; readonly resolution_note: null }
  | {
      readonly resolved_as: Resolution["outcome"];
      readonly resolved_by: string;
      readonly resolution_note: string;
    };

/** What is asked of a PSP beyond a charge. */
export type OperationRow = Resolved & {
  readonly operation_id: OperationId;
  /** Null: it concerns no charge. */
  readonly attempt_id: AttemptId | null;
  /** Null: every order of a page, or none. */
  readonly payment_order_id: PaymentOrderId | null;
  readonly kind: string;
  readonly psp: string;
  /** Its kind lets a person say that a failed one was made after all. */
  readonly is_reopenable: boolean;
  readonly capture_id: string | null;
  readonly request_fingerprint: Buffer | null;
  readonly amount_minor: bigint | null;
  readonly currency: string;
  readonly is_final: boolean;
  readonly void_cause: VoidCause | null;
  readonly status: OperationStatus;
  readonly psp_reference: string | null;
  readonly failure_code: string | null;
  readonly failure_message: string | null;
  readonly created_by: string;
  readonly created_at: Timestamp;
  readonly updated_at: Timestamp;
};

/** The error of an attempt for which the PSP charged or authorised another amount than the order's. */
export const amount_mismatch = "amount_mismatch";

/** Who starts an attempt, in an order's history. */
export const executor_actor = "executor";

/** Why no PSP can be asked, and what to do. */
export const missingAccount = (psp: string): string =>
  `The PSP account ${psp} is not configured. Add it to PSP_ACCOUNTS again, with its secret, ` +
  "and this goes on by itself; or look at the PSP and resolve it.";
