import type { Money } from "../money/money.ts";
import type { AttemptId, ModificationId } from "../ids.ts";

/**
 * What a PSP is to the rest of the house. Adapters stand in `psp/<name>/`; the domain knows this file only.
 */

/** Taken at once, or held by the card's issuer until it is captured or given up. */
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
  /** In our words: `card_declined`, `insufficient_funds`, … */
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

/** What came of a charge. A value, never an exception. `is_unasked`: no call was made, so it says nothing about the PSP's health. */
export type PspOutcome =
  /** `capture_reference`: the PSP reported the capture itself, not the payment. */
  | {
      readonly kind: "succeeded";
      readonly psp_reference: string;
      readonly charged: Money;
      readonly capture_reference?: string;
    }
  /**
   * The PSP's automatic capture failed for good, maybe days after the payment was reported as made: its money
   * never comes.
   */
  | {
      readonly kind: "capture_failed";
      readonly capture_reference: string;
      readonly money: Money;
      readonly failure: Failure;
    }
  /** The issuer holds the money for us, until then or for as long as it likes; `captured` of it is taken. */
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
   * Closed, and no charge can follow: a page that expired, an authorisation that was given up. `captured`: what was taken of an
   * authorisation before; left out where the PSP does not say so.
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
  /** Surely nothing happened at the PSP. */
  | { readonly kind: "not_sent"; readonly failure: Failure; readonly is_unasked?: true }
  /**
   * It may or may not have happened; only an inquiry, a webhook or a settlement line can tell. `is_stored`:
   * the PSP stores this answer under the key, so the same request tells nothing more. `needs_person`: no
   * inquiry is possible until a person acts.
   */
  | {
      readonly kind: "unknown";
      readonly reason: string;
      readonly retry_after_seconds?: number;
      readonly is_unasked?: true;
      readonly is_stored?: true;
      readonly needs_person?: true;
    };

/** What came of registering a page. The same key gives the same page, so an unknown outcome is simply asked again. */
export type PageOutcome =
  | {
      readonly kind: "registered";
      readonly page_token: string;
      readonly url: string;
      readonly expires_at: Date;
    }
  | Extract<PspOutcome, { kind: "not_sent" | "unknown" }>;

/** The hosted pages of a PSP. */
export type PspPages = { register(request: PageRequest): Promise<PageOutcome> };

/**
 * A change of a charge after it was made. A capture takes `money` of an authorisation; a void gives up what is left
 * of one, a payment that waits for its buyer, or a page.
 */
export type ModificationRequest = Pick<Inquiry, "attempt_id" | "psp_reference" | "page_token"> & {
  readonly kind: "capture" | "void";
  readonly modification_id: ModificationId;
  /** The idempotency key of this change: the same until the PSP surely did nothing under it. */
  readonly psp_key: string;
  /** Of a capture: what to take; of a void: what was authorised. */
  readonly money: Money;
  /** What was taken before. There is one change at a time, so the PSP's total tells whether this one happened. */
  readonly captured_before_minor: bigint;
  /** Of a capture: what is left is released. */
  readonly is_final: boolean;
  readonly turn: Turn;
};

/** What came of a change. */
export type ModificationOutcome =
  | { readonly kind: "done"; readonly psp_reference: string | null }
  /** Accepted; a webhook tells how it ends. */
  | { readonly kind: "accepted"; readonly psp_reference: string }
  /**
   * Certainly not done. `capture_reference`: it had been accepted, and may have been reported as done, under
   * this reference.
   */
  | {
      readonly kind: "failed";
      readonly failure: Failure;
      readonly is_unasked?: true;
      readonly capture_reference?: string;
    }
  | Extract<PspOutcome, { kind: "not_sent" | "unknown" }>;

/** What a request for a change gives: what came of it or, where the PSP shows that, what the charge has become. */
export type ModificationAnswer = ModificationOutcome | PspOutcome;

/**
 * The answer to an inquiry. `not_found` is no proof that nothing happened: the charge may still be on its
 * way. `absent` is: given `sent_between`, the PSP listed everything made in that time.
 */
export type InquiryOutcome = PspOutcome | { readonly kind: "not_found" } | { readonly kind: "absent" };

/** A webhook whose signature was verified over its raw bytes. */
export type VerifiedWebhook = {
  readonly psp_event_id: string;
  readonly type: string;
  readonly attempt_id: string | null;
  readonly payment_order_id: string | null;
};

export type WebhookHeaders = Readonly<Record<string, string | string[] | undefined>>;

export type AttemptNews = {
  readonly attempt_id: string | null;
  readonly payment_order_id: string | null;
  readonly outcome: PspOutcome;
};

/**
 * What an external account reports about an attempt of its own. No call of ours confirms it, so all of it is
 * compared with the attempt before it counts.
 */
export type ExternalReport = {
  /** The account that the message speaks for. */
  readonly account: string;
  /** One of the two at least; without the attempt's id the order's newest one is meant. */
  readonly attempt_id: string | null;
  readonly payment_order_id: string | null;
  readonly money: Money;
  /** The collector's own id of the payment: the same in each report about an attempt. */
  readonly reference: string;
  readonly outcome: Extract<PspOutcome, { kind: "succeeded" | "declined" | "pending" }>;
};

/**
 * What a stored webhook says about an attempt or a change of one. Null: nothing that concerns a payment of
 * ours. `unsupported`: it does, or may, and this version cannot apply it yet (refunds, disputes, payouts).
 */
export type WebhookNews =
  /** Found by our id or, where the PSP does not give that back, by the PSP's own. `otherwise`: what it means if the change is not ours. */
  | {
      readonly modification_id: string | null;
      readonly modification_reference: string;
      readonly outcome: ModificationOutcome;
      readonly otherwise: AttemptNews | null;
    }
  | AttemptNews
  | ExternalReport
  | "unsupported"
  | null;

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
  /** Asks what became of an attempt, without any effect. */
  inquire(inquiry: Inquiry): Promise<InquiryOutcome>;
  /** Whether a last capture of less than the whole gives the rest up by itself; else a void must follow. */
  readonly releases_rest: boolean;
  /** Captures or voids once per `psp_key`, whatever is repeated. */
  modify(request: ModificationRequest): Promise<ModificationAnswer>;
  /**
   * Verifies the raw bytes; undefined: forged or stale. Errors: `invalid_request` for a genuine body that
   * names no event.
   */
  verifyWebhook(body: Buffer, headers: WebhookHeaders): VerifiedWebhook | undefined;
  /** Reads a body that `verifyWebhook` accepted before; the attempt it names is captured like this. */
  readWebhook(body: string, capture_method: CaptureMethod): WebhookNews;
};
