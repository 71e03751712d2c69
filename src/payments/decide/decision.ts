import { nextDelaySeconds, type LetterKind } from "../../jobs/jobs.ts";
import type {
  CaptureMethod,
  Failure,
  FailureClass,
  OperationAnswer,
  PageOutcome,
  PspOutcome,
} from "../../psp/psp.ts";
import type { AttemptStatus, Cause, OperationStatus, OrderStatus, VoidCause } from "../model/model.ts";
import { inquiries_before_alarm, type RetryPolicies } from "../model/retry-policies.ts";

/** The outcome of an attempt's charge, of the registration of its page, or of a capture or void of it. */
export type AttemptOutcome = PspOutcome | PageOutcome | OperationAnswer;

/** The operation that the report is about, or the one in flight. */
export type DecidableOperation = {
  readonly kind: "capture" | "void";
  readonly unknown_inquiries_max: number;
  readonly accepted_inquiries_max: number;
  readonly status: OperationStatus;
  readonly amount_minor: bigint | null;
  readonly is_final: boolean;
  readonly void_cause: VoidCause | null;
  readonly key_number: number;
  readonly inquiry_count: number;
  readonly psp_reference: string | null;
  readonly failure_code: string | null;
};

/**
 * How the report came. `is_first_send`: no earlier request may have reached the PSP; otherwise "not sent"
 * proves nothing. `key_number`: the number of the key that the answered request had.
 */
type DecidableSource =
  | { readonly kind: "charge"; readonly is_first_send: boolean }
  | { readonly kind: "inquiry" }
  | { readonly kind: "operation"; readonly is_first_send: boolean; readonly key_number: number }
  | { readonly kind: "resolution" }
  /** The PSP sent it by itself: no late answer to a question that others have answered meanwhile. */
  | { readonly kind: "webhook" };

/** What is known, under the order's lock, when a report arrives. */
export type DecisionInput = {
  readonly order: {
    readonly status: OrderStatus;
    readonly status_cause: Cause;
    readonly currency: string;
    readonly amount_minor: bigint;
    readonly captured_minor: bigint;
    readonly capturing_minor: bigint;
  };
  readonly attempt: {
    readonly status: AttemptStatus;
    readonly attempt_number: number;
    readonly inquiry_count: number;
    readonly amount_minor: bigint;
    readonly capture_method: CaptureMethod;
    /** Why the buyer's card was declined while the attempt could still be paid with another one. */
    readonly failure: Failure | null;
    readonly attempt_id: string;
    /** Null: the PSP has given none, so the buyer was not there. */
    readonly psp_reference: string | null;
    readonly page_token: string | null;
    /** A step is stored that the buyer must do. */
    readonly has_next_action: boolean;
    readonly failure_code: string | null;
    /** The PSP has said so while a capture was under way. */
    readonly authorization_ended_as: "canceled" | "expired" | null;
    /** The outcome that a person saw at the PSP, and its reference there. */
    readonly resolved_as: "succeeded" | "authorized" | "failed" | null;
    readonly resolution_reference: string | null;
  };
  readonly operation: DecidableOperation | null;
  readonly outcome: AttemptOutcome;
  /** Whether the PSP gives the rest up with a last capture by itself. */
  readonly releases_rest: boolean;
  /** False of an external account: it reports by itself. */
  readonly can_be_asked: boolean;
  readonly source: DecidableSource;
  readonly policies: RetryPolicies;
  /** From 0 to 1, for jitter. */
  readonly random: number;
};

export type OperationDecision = {
  readonly status: OperationStatus;
  readonly failure: Failure | null;
  readonly psp_reference: string | null;
  /** The PSP certainly did nothing under the last key. */
  readonly is_new_key: boolean;
  /** When to look at the operation again. */
  readonly retry_delay_seconds: number | null;
  readonly alarm: string | null;
};

/** What becomes of an order, its attempt and the operation. */
export type Decision = {
  readonly order_status: OrderStatus;
  readonly attempt_status: AttemptStatus;
  readonly cause: Cause;
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly failure_class: FailureClass | null;
  /** What the ledger books: an authorisation, money taken, what is left of an authorisation given back. */
  readonly authorizes_minor: bigint;
  readonly captures_minor: bigint;
  readonly releases_minor: bigint;
  /** The amount that was booked as captured and never came. */
  readonly undoes_minor: bigint;
  /** When to look at the order again. */
  readonly retry_delay_seconds: number | null;
  /** Why a person must look at it. */
  readonly alarm: string | null;
  readonly alarm_kind: LetterKind;
  /** Order and attempt stay as they are. */
  readonly is_unchanged: boolean;
  readonly operation: OperationDecision | null;
  /** The attempt is to be given up at the PSP first. */
  readonly void_cause: VoidCause | null;
  /** To be remembered until the capture under way is decided. */
  readonly authorization_ended_as: "canceled" | "expired" | null;
  /** The stored step of the buyer stays, whatever the report says. */
  readonly keeps_next_action: boolean;
};

/** Order and attempt in these states; nothing else happens unless a field says so. */
export function become(
  order_status: OrderStatus,
  attempt_status: AttemptStatus,
  cause: Cause,
  changes: Partial<Decision> = {},
): Decision {
  return {
    order_status,
    attempt_status,
    cause,
    error: null,
    failure_class: null,
    authorizes_minor: 0n,
    captures_minor: 0n,
    releases_minor: 0n,
    undoes_minor: 0n,
    retry_delay_seconds: null,
    alarm: null,
    alarm_kind: "work",
    is_unchanged: false,
    operation: null,
    void_cause: null,
    authorization_ended_as: null,
    keeps_next_action: false,
    ...changes,
  };
}

/** Order and attempt stay as they are. */
export function unchanged({ order, attempt }: DecisionInput, changes: Partial<Decision> = {}): Decision {
  return become(order.status, attempt.status, order.status_cause, { is_unchanged: true, ...changes });
}

/** The operation gets this status. */
export function operationAs(
  status: OperationStatus,
  changes: Partial<OperationDecision> = {},
): OperationDecision {
  return {
    status,
    failure: null,
    psp_reference: null,
    is_new_key: false,
    retry_delay_seconds: null,
    alarm: null,
    ...changes,
  };
}

/** When an unclear outcome is asked about again, after so many inquiries. */
export function inquiryDelay(
  { policies, random }: Pick<DecisionInput, "policies" | "random">,
  inquiry_count: number,
  retry_after_seconds?: number,
): number {
  const delay = nextDelaySeconds(policies.inquiry, inquiry_count + 1, {
    random,
    ...(retry_after_seconds === undefined ? {} : { retry_after_seconds }),
  });
  // The inquiry policy never gives up; a policy that does is a bug in the settings.
  if (delay === undefined) throw new Error("the inquiry policy must not end");
  return delay;
}

/** When to try again after the n-th failure of this kind; undefined: not by itself. */
export function retryDelay(
  { policies, random }: Pick<DecisionInput, "policies" | "random">,
  failure: Failure,
  tries: number,
): number | undefined {
  const { retry_after_seconds } = failure;
  return nextDelaySeconds(policies[failure.class], tries, {
    random,
    ...(retry_after_seconds === undefined ? {} : { retry_after_seconds }),
  });
}

/** Too many unanswered inquiries. */
export const inquiryAlarm = (
  inquiry_count: number,
  reason: string,
  inquiries_max = inquiries_before_alarm,
): string | null =>
  inquiry_count >= inquiries_max
    ? `The outcome is unknown after ${inquiry_count} inquiries: ${reason}`
    : null;

/** After a request that may have arrived, "not sent" says nothing about it. */
export function asUnknownIfResent<Outcome extends AttemptOutcome | { readonly kind: "unchanged" }>(
  outcome: Outcome,
  source: DecidableSource,
): Outcome | Extract<PspOutcome, { kind: "unknown" }> {
  const isFirstSend = "is_first_send" in source && source.is_first_send;
  if (isFirstSend || outcome.kind !== "not_sent") return outcome;
  const { message, retry_after_seconds } = outcome.failure;
  return {
    kind: "unknown",
    reason: message,
    ...(retry_after_seconds === undefined ? {} : { retry_after_seconds }),
  };
}
