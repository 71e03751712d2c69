import type { Money } from "../money/money.ts";
import type { AttemptId, OperationId } from "../ids.ts";
import type { InquiryOutcome, OperationAnswer, PageOutcome, PspOutcome } from "./port-outcomes.ts";
import type { VerifiedWebhook, WebhookHeaders, WebhookReport } from "./port-webhooks.ts";

/**
 * What a PSP is to the rest of the service; its answers are in `port-outcomes.ts`, its webhooks in
 * `port-webhooks.ts`. Adapters are in `psp/<name>/`; the domain knows only the port.
 */

/** Captured at once, or held by the card's issuer until it is captured or released. */
export type CaptureMethod = "automatic" | "manual";

/**
 * What a call may do. `first_send`: nothing was sent before. Every other turn asks first. `ask_then_send`: if
 * the PSP does not show the charge, the request is sent again under the same key. `ask_only`: sending again
 * could charge again (the PSP may have forgotten the key) or tells nothing (it stores a server error under
 * it). `ask_for_proof`: nothing was sent for so long that a charge that the PSP does not show never happened.
 */
export type Turn = "first_send" | "ask_then_send" | "ask_only" | "ask_for_proof";

export type ChargeRequest = {
  readonly attempt_id: AttemptId;
  /** The idempotency key at the PSP: the same on every repetition of this attempt, never used for another. */
  readonly psp_key: string;
  readonly checkout_id: string;
  /** Null: the attempt covers the whole checkout. */
  readonly payment_order_id: string | null;
  readonly money: Money;
  /** The PSP's token for the buyer's card. */
  readonly card_token: string;
  readonly capture_method: CaptureMethod;
  /**
   * Where the PSP sends the buyer after a step at the bank; null: the shop shows that step in its own page.
   */
  readonly return_url: string | null;
};

/**
 * One charge for a whole checkout, for which the buyer types the card on the PSP's own page.
 * Nothing is charged by the registration.
 */
export type PageRequest = Pick<ChargeRequest, "attempt_id" | "psp_key" | "checkout_id" | "money"> & {
  readonly lines: readonly {
    readonly payment_order_id: string;
    readonly seller_account: string;
    readonly money: Money;
  }[];
  /** Where the browser goes afterwards; what it says there is not trusted. */
  readonly return_url: string;
  /** After this the page takes no card any more. */
  readonly expires_at: Date;
};

/** What we know of an attempt when we ask the PSP about it. */
export type Inquiry = Pick<ChargeRequest, "attempt_id" | "psp_key" | "money"> & {
  readonly psp_reference: string | null;
  /** The registration, when the attempt is a page. */
  readonly page_token: string | null;
  /** When its requests were sent, first and last; given only in a turn that asks for proof. */
  readonly sent_between?: { readonly first: Date; readonly last: Date };
};

/** The hosted pages of a PSP. */
export type PspPages = { register(request: PageRequest): Promise<PageOutcome> };

/**
 * An operation on a charge that was made before. A capture takes `money` of an authorisation; a void releases
 * what is left of one, a payment that waits for its buyer, or a page.
 */
export type OperationRequest = Pick<Inquiry, "attempt_id" | "psp_reference" | "page_token"> & {
  readonly kind: "capture" | "void";
  readonly operation_id: OperationId;
  /**
   * The idempotency key of this operation: it stays the same until the PSP certainly did nothing under it.
   */
  readonly psp_key: string;
  /** Of a capture: what to take; of a void: what was authorised. */
  readonly money: Money;
  /**
   * What was taken before. One operation is in flight at a time, so the PSP's total shows whether it
   * happened.
   */
  readonly captured_before_minor: bigint;
  /** Of a capture: what is left is released. */
  readonly is_final: boolean;
  readonly turn: Turn;
};

export type Psp = {
  readonly name: string;
  /**
   * How long after its first use the PSP is certain to remember an idempotency key; later the same request
   * acts again.
   */
  readonly key_seconds: number;
  /** Why this PSP cannot take an amount exactly; null: it can. */
  readonly refusalOfAmount: (money: Money) => string | null;
  /** Charges once per `psp_key`, whatever is repeated. */
  charge(request: ChargeRequest): Promise<PspOutcome>;
  /**
   * Only for an external account: it cannot be asked, and its orders are overdue after this time without a
   * report.
   */
  readonly reports_within_seconds?: number;
  /** Null: this PSP has no hosted page, or the adapter does not use it. */
  readonly pages: PspPages | null;
  /** Asks for the outcome of an attempt, without any effect. */
  inquire(inquiry: Inquiry): Promise<InquiryOutcome>;
  /**
   * Whether a last capture of less than the whole releases the rest by itself; otherwise a void must follow.
   */
  readonly releases_rest: boolean;
  /** Captures or voids once per `psp_key`, whatever is repeated. */
  operate(request: OperationRequest): Promise<OperationAnswer>;
  /**
   * Verifies the raw bytes; undefined: forged or stale. Errors: `invalid_request` for a genuine body that
   * names no event.
   */
  verifyWebhook(body: Buffer, headers: WebhookHeaders): VerifiedWebhook | undefined;
  /** Reads a body that `verifyWebhook` accepted before. `capture_method`: that of the attempt it names. */
  readWebhook(body: string, capture_method: CaptureMethod): WebhookReport;
};
