/** What PSPs answer: the outcomes of charges, pages, operations and inquiries. */
import type { Money } from "../money/money.ts";

/**
 * Why a charge did not happen; retry policies are chosen by it.
 * `hard_decline`: the issuer or our own rules said no, and would again.
 * `transient_decline`: definitely not charged, but the same card may work in a moment.
 * `rate_limited`, `unreachable`: the PSP never acted on the request.
 * `invalid_request`: the PSP did not accept what we sent; a bug or a wrong token.
 */
export type FailureClass =
  | "hard_decline"
  | "transient_decline"
  | "rate_limited"
  | "unreachable"
  | "invalid_request";

export type Failure = {
  readonly class: FailureClass;
  /** Our own code: `card_declined`, `insufficient_funds`, … */
  readonly code: string;
  /** For people; holds nothing secret. */
  readonly message: string;
  readonly retry_after_seconds?: number;
};

/** What the buyer must do before a pending charge can go on. Only the buyer's browser may have it. */
export type NextAction = {
  /** In the PSP's own word, such as `redirect_to_url`. */
  readonly type: string;
  /** Where the buyer confirms the payment; from there the PSP leads back to the return URL. */
  readonly redirect_url: string | null;
  /** What the PSP's own library in the buyer's browser needs. */
  readonly client_secret: string | null;
};

/**
 * What a PSP's id is of, in the PSP's own word. `payment`, `capture` and `void` are Adyen's pspReferences of
 * these.
 */
export type PspReferenceType =
  | "payment_intent"
  | "charge"
  | "balance_transaction"
  | "checkout_session"
  | "payment"
  | "capture"
  | "void"
  | "refund"
  | "dispute"
  | "payout"
  | "transfer";

/** An id that a PSP gave. Of one account no id stands for two attempts or operations. */
export type PspReference = { readonly type: PspReferenceType; readonly reference: string };

/** `references`: every id in the answer or message, among them `psp_reference`; left out: it has none. */
type WithReferences = { readonly references?: readonly PspReference[] };

/**
 * The outcome of a charge. A value, never an exception. `no_call_made`: no call was made, so it says nothing
 * about the PSP's health.
 */
export type PspOutcome = WithReferences & PspResult;

type PspResult =
  /** `capture_reference`: the PSP reported the capture itself, not the payment. */
  | {
      readonly kind: "succeeded";
      readonly psp_reference: string;
      readonly charged: Money;
      readonly capture_reference?: string;
    }
  /**
   * The PSP's automatic capture failed for good, maybe days after the payment was reported as made: its money
   * never comes. `psp_reference`: the payment's, where the PSP names it.
   */
  | {
      readonly kind: "capture_failed";
      readonly psp_reference?: string;
      readonly capture_reference: string;
      readonly money: Money;
      readonly failure: Failure;
    }
  /**
   * The issuer holds the money for us, until `expires_at` or for as long as it likes; `captured` of it is
   * taken.
   */
  | {
      readonly kind: "authorized";
      readonly psp_reference: string;
      readonly authorized: Money;
      readonly captured: Money;
      readonly expires_at: Date | null;
    }
  /** `is_open`: the buyer could still pay it at the PSP, with another card say. */
  | {
      readonly kind: "declined";
      readonly psp_reference: string | null;
      readonly failure: Failure;
      readonly is_open?: boolean;
    }
  /**
   * Closed, and no charge can follow: a page that expired, an authorisation that was released. `captured`:
   * what was taken of an authorisation before; left out where the PSP does not say so.
   */
  | {
      readonly kind: "canceled";
      readonly psp_reference: string | null;
      readonly reason: "expired" | "canceled";
      readonly captured?: Money;
    }
  /**
   * The PSP waits for the buyer or a review. Without a reference: an external account has not reported yet.
   * `next_action`: null if the buyer need not act; left out where the report does not say, as in a webhook,
   * which is stored without it.
   */
  | {
      readonly kind: "pending";
      readonly psp_reference: string | null;
      readonly next_action?: NextAction | null;
    }
  /** Certainly nothing happened at the PSP. */
  | { readonly kind: "not_sent"; readonly failure: Failure; readonly no_call_made?: true }
  /**
   * It may or may not have happened; only an inquiry, a webhook or a settlement line can tell. `is_stored`:
   * the PSP stores this answer under the key, so the same request tells nothing more. `needs_person`: no
   * inquiry is possible until a person acts.
   */
  | {
      readonly kind: "unknown";
      readonly reason: string;
      readonly retry_after_seconds?: number;
      readonly no_call_made?: true;
      readonly is_stored?: true;
      readonly needs_person?: true;
    };

/**
 * The outcome of registering a page. The same key gives the same page, so after an unknown outcome the
 * request is simply repeated.
 */
export type PageOutcome = WithReferences & PageResult;

type PageResult =
  | {
      readonly kind: "registered";
      readonly page_token: string;
      readonly url: string;
      readonly expires_at: Date;
    }
  | Extract<PspOutcome, { kind: "not_sent" | "unknown" }>;

/** The outcome of a capture or void. */
export type OperationOutcome = WithReferences & OperationResult;

type OperationResult =
  | { readonly kind: "done"; readonly psp_reference: string | null }
  /** Accepted; a webhook reports the result. */
  | { readonly kind: "accepted"; readonly psp_reference: string }
  /**
   * Certainly not done. `capture_reference`: it had been accepted, and may have been reported as done, under
   * this reference.
   */
  | {
      readonly kind: "failed";
      readonly failure: Failure;
      readonly no_call_made?: true;
      readonly capture_reference?: string;
    }
  | Extract<PspOutcome, { kind: "not_sent" | "unknown" }>;

/**
 * The answer to a request for a capture or void: its outcome or, if the PSP shows that instead, the state of
 * the charge.
 */
export type OperationAnswer = OperationOutcome | PspOutcome;

/**
 * The answer to an inquiry. `not_found` is no proof that nothing happened: the charge may still be on its
 * way. `absent` is: given `sent_between`, the PSP listed everything made in that time.
 */
export type InquiryOutcome = PspOutcome | { readonly kind: "not_found" } | { readonly kind: "absent" };
