import { nextDelaySeconds } from "../jobs/jobs.ts";
import type { PageOutcome, PspOutcome } from "../psp/psp.ts";
import type { AttemptRow, AttemptStatus, Cause, OrderRow, OrderStatus } from "./model.ts";
import { openAttemptStatuses } from "./model.ts";
import { inquiries_before_alarm, type RetryPolicies } from "./retry-policies.ts";

/** News about an attempt: what came of its charge, or that its page is there. */
export type AttemptOutcome = PspOutcome | PageOutcome;

/** What becomes of an order and its attempt. Null: nothing changes. */
export type Decision = {
  readonly order_status: OrderStatus;
  readonly attempt_status: AttemptStatus;
  readonly cause: Cause;
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly failure_class: string | null;
  /** When to look at the order again. */
  readonly retry_delay_seconds: number | null;
  /** Why a person must look at it. */
  readonly alarm: string | null;
  /** The rows stay as they are; only the alarm is raised. */
  readonly is_alarm_only: boolean;
};

export type DecisionInput = {
  readonly order: Pick<OrderRow, "status" | "currency">;
  readonly attempt: Pick<AttemptRow, "status" | "attempt_number" | "inquiry_count" | "amount_minor">;
  readonly outcome: AttemptOutcome;
  /** False when an earlier request of this attempt may have reached the PSP: then "not sent" proves nothing. */
  readonly is_first_send: boolean;
  readonly policies: RetryPolicies;
  /** From 0 to 1, for jitter. */
  readonly random: number;
};

/**
 * The one place that turns a PSP's outcome into states. It only moves forward: news about an attempt
 * that is closed change nothing, except that money that moved against what we believed raises an alarm.
 */
export function decide(input: DecisionInput): Decision | null {
  const { order, attempt } = input;
  const outcome = input.is_first_send ? input.outcome : doubted(input.outcome);
  if (!openAttemptStatuses.includes(attempt.status)) return contradiction(input);
  switch (outcome.kind) {
    case "succeeded":
      if (outcome.charged.amount_minor !== attempt.amount_minor || outcome.charged.currency !== order.currency) {
        const message = `The PSP charged ${outcome.charged.amount_minor} minor units of ${outcome.charged.currency}, not ${attempt.amount_minor} of ${order.currency}.`;
        return { ...stay("UNKNOWN", "unknown", "psp_unknown"), error: { code: "amount_mismatch", message }, alarm: message };
      }
      return stay("SUCCESS", "succeeded", "psp_succeeded");
    case "declined":
      return afterFailure(input, outcome.failure, "declined");
    case "not_sent":
      return afterFailure(input, outcome.failure, "not_sent");
    case "registered":
      return { ...stay("PENDING", "pending", "page_opened"), retry_delay_seconds: inquiryDelay(input) };
    case "canceled":
      return {
        ...stay("CANCELED", "canceled", outcome.reason === "expired" ? "expired" : "canceled"),
        error: { code: outcome.reason, message: outcome.reason === "expired" ? "The time to pay ran out." : "The payment was given up." },
      };
    case "pending":
      return { ...stay("PENDING", "pending", "psp_pending"), retry_delay_seconds: inquiryDelay(input) };
    case "unknown":
      return {
        ...stay("UNKNOWN", "unknown", "psp_unknown"),
        error: { code: "outcome_unknown", message: outcome.reason },
        retry_delay_seconds: inquiryDelay(input, outcome.retry_after_seconds),
        alarm: attempt.inquiry_count >= inquiries_before_alarm ? `The outcome is unknown after ${attempt.inquiry_count} inquiries: ${outcome.reason}` : null,
      };
  }
}

function stay(order_status: OrderStatus, attempt_status: AttemptStatus, cause: Cause): Decision {
  return { order_status, attempt_status, cause, error: null, failure_class: null, retry_delay_seconds: null, alarm: null, is_alarm_only: false };
}

function doubted(outcome: AttemptOutcome): AttemptOutcome {
  if (outcome.kind !== "not_sent") return outcome;
  const { message, retry_after_seconds } = outcome.failure;
  return { kind: "unknown", reason: message, ...(retry_after_seconds === undefined ? {} : { retry_after_seconds }) };
}

function afterFailure(
  input: DecisionInput, failure: Extract<PspOutcome, { kind: "declined" }>["failure"], attempt_status: "declined" | "not_sent",
): Decision {
  const error = { code: failure.code, message: failure.message };
  const policy = input.policies[failure.class];
  const delay = nextDelaySeconds(policy, input.attempt.attempt_number, {
    random: input.random,
    ...(failure.retry_after_seconds === undefined ? {} : { retry_after_seconds: failure.retry_after_seconds }),
  });
  const cause: Cause = attempt_status === "declined" ? "psp_declined" : "psp_not_reached";
  if (delay !== undefined) {
    return { ...stay("RETRY_SCHEDULED", attempt_status, cause), error, failure_class: failure.class, retry_delay_seconds: delay };
  }
  const isExhausted = policy.strategy !== "none";
  return {
    ...stay("FAILED", attempt_status, isExhausted ? "retries_exhausted" : cause),
    error,
    failure_class: failure.class,
    alarm: isExhausted ? `Given up after ${input.attempt.attempt_number} attempts: ${failure.message}` : null,
  };
}

function inquiryDelay(input: DecisionInput, retryAfterSeconds?: number): number {
  const delay = nextDelaySeconds(input.policies.inquiry, input.attempt.inquiry_count + 1, {
    random: input.random,
    ...(retryAfterSeconds === undefined ? {} : { retry_after_seconds: retryAfterSeconds }),
  });
  // The inquiry policy never gives up; a policy that does is a bug in the settings.
  if (delay === undefined) throw new Error("the inquiry policy must not end");
  return delay;
}

/** News about a closed attempt: harmless repetition, or money that moved although we hold it did not. */
function contradiction({ attempt, outcome, order }: DecisionInput): Decision | null {
  if (outcome.kind !== "succeeded" || attempt.status === "succeeded") return null;
  return {
    ...stay(order.status, attempt.status, "psp_succeeded"),
    is_alarm_only: true,
    alarm: `The PSP reports a success (${outcome.psp_reference}) for an attempt that was closed as ${attempt.status}.`,
  };
}
