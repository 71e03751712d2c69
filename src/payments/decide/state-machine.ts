import type { Failure, PspOutcome } from "../../psp/psp.ts";
import { capture_failed, decideCaptureFailed } from "./capture-failure.ts";
import { decideOperation } from "./operation-machine.ts";
import { decideVoid } from "./void-machine.ts";
import {
  become,
  asUnknownIfResent,
  inquiryAlarm,
  inquiryDelay,
  retryDelay,
  unchanged,
  type Decision,
  type DecisionInput,
} from "./decision.ts";
import { chargedOtherwise, mismatch, staysMismatched } from "./amount-mismatch.ts";
import { reportOfAnotherCharge } from "./another-charge.ts";
import { contradictedResolution } from "./resolution-contradiction.ts";
import { openAttemptStatuses, type Cause } from "../model/model.ts";

/**
 * The one place that turns a PSP's report into states; null: nothing changes. It only moves forward: reports
 * about an attempt that is closed change nothing, except that money that moved against what we believed
 * raises an alarm.
 */
export function decideReport(input: DecisionInput): Decision | null {
  return contradictedResolution(input, decideCharge) ?? reportOfAnotherCharge(input) ?? decideByState(input);
}

function decideByState(input: DecisionInput): Decision | null {
  if (input.outcome.kind === "capture_failed") return decideCaptureFailed(input, input.outcome);
  if (input.attempt.status === "authorized") return decideOperation(input);
  if (!openAttemptStatuses.includes(input.attempt.status))
    return input.operation === null ? contradiction(input) : decideOperation(input);
  if (input.operation !== null) return decideVoid(input, decideCharge, declinedFor);
  return decideCharge(input);
}

/** The outcome of an open attempt's charge. */
function decideCharge(input: DecisionInput): Decision | null {
  const { attempt } = input;
  const outcome = asUnknownIfResent(input.outcome, input.source);
  if (staysMismatched(input, outcome)) {
    // A webhook that cannot be read may be about more money.
    const mayBeMoney = outcome.kind === "unknown" && input.source.kind === "webhook";
    return mayBeMoney ? discrepancy(input, outcome.reason) : null;
  }
  switch (outcome.kind) {
    case "succeeded":
      return decideSucceeded(input, outcome);
    case "authorized":
      return decideAuthorized(input, outcome);
    case "declined":
      // The buyer may still pay it with another card: it is voided at the PSP before anything follows.
      return outcome.is_open === true && attempt.psp_reference !== null
        ? become("PENDING", "pending", "psp_pending", { ...failed(outcome.failure), void_cause: "declined" })
        : declinedFor(input, outcome.failure);
    case "not_sent":
      return afterFailedAttempt(input, outcome.failure, "not_sent", causeOfNotSent(outcome));
    case "registered":
      return become("PENDING", "pending", "page_opened", {
        retry_delay_seconds: inquiryDelay(input, attempt.inquiry_count),
      });
    case "canceled":
      return become("CANCELED", "canceled", outcome.reason, {
        error: {
          code: outcome.reason,
          message: outcome.reason === "expired" ? "The time to pay ran out." : "The payment was canceled.",
        },
      });
    case "pending":
      // The answer to the request under way will tell what the buyer must do; this report does not.
      if (attempt.status === "executing" && outcome.next_action === undefined) return null;
      return decidePending(input, outcome);
    case "unknown":
      return become("UNKNOWN", "unknown", "psp_unknown", {
        error: { code: "outcome_unknown", message: outcome.reason },
        retry_delay_seconds: inquiryDelay(input, attempt.inquiry_count, outcome.retry_after_seconds),
        alarm:
          outcome.needs_person === true
            ? outcome.reason
            : inquiryAlarm(attempt.inquiry_count, outcome.reason),
      });
    case "done":
    case "accepted":
    case "failed":
    case "capture_failed":
      // A report of an operation that is not known here.
      return null;
  }
}

function decideSucceeded(
  { order, attempt }: DecisionInput,
  { charged, psp_reference }: Extract<PspOutcome, { kind: "succeeded" }>,
): Decision {
  const isAsOrdered = charged.amount_minor === attempt.amount_minor && charged.currency === order.currency;
  if (isAsOrdered)
    return become("SUCCESS", "succeeded", "psp_succeeded", { captures_minor: order.amount_minor });
  return mismatch(
    `The PSP charged ${charged.amount_minor} minor units of ${charged.currency} (${psp_reference}), ` +
      `not ${attempt.amount_minor} of ${order.currency}.`,
  );
}

/** Webhooks come in any order: whether the buyer's step is still to be done, the PSP itself is asked. */
function decidePending(
  input: DecisionInput,
  { next_action }: Extract<PspOutcome, { kind: "pending" }>,
): Decision {
  const { attempt, source, can_be_asked } = input;
  const keeps_next_action = source.kind === "webhook" && next_action === null && attempt.has_next_action;
  const delay = keeps_next_action ? 1 : inquiryDelay(input, attempt.inquiry_count);
  return become("PENDING", "pending", "psp_pending", {
    retry_delay_seconds: can_be_asked ? delay : null,
    keeps_next_action,
  });
}

function decideAuthorized(
  input: DecisionInput,
  { authorized, captured, psp_reference }: Extract<PspOutcome, { kind: "authorized" }>,
): Decision {
  const { order, attempt } = input;
  if (attempt.capture_method === "automatic") {
    return become("PENDING", "pending", "psp_pending", {
      retry_delay_seconds: inquiryDelay(input, attempt.inquiry_count),
    });
  }
  if (
    authorized.amount_minor !== attempt.amount_minor ||
    authorized.currency !== order.currency ||
    captured.amount_minor !== 0n
  ) {
    const held = `${authorized.amount_minor} minor units of ${authorized.currency}`;
    return mismatch(
      `The PSP authorised ${held} (${psp_reference}) and took ${captured.amount_minor}; ` +
        `${attempt.amount_minor} of ${order.currency} were to be authorised.`,
    );
  }
  return become("AUTHORIZED", "authorized", "psp_authorized", { authorizes_minor: order.amount_minor });
}

const failed = (failure: Failure): Pick<Decision, "error" | "failure_class"> => ({
  error: { code: failure.code, message: failure.message },
  failure_class: failure.class,
});

/** The end of an attempt that was declined, maybe given up at the PSP since. */
const declinedFor = (input: DecisionInput, failure: Failure): Decision =>
  afterFailedAttempt(input, failure, "declined", "psp_declined");

/** The PSP has read the request where it did not accept it, such as a card token that it does not know. */
const causeOfNotSent = ({ failure, no_call_made }: Extract<PspOutcome, { kind: "not_sent" }>): Cause =>
  failure.class === "invalid_request" && no_call_made !== true ? "psp_refused" : "psp_not_reached";

function afterFailedAttempt(
  input: DecisionInput,
  failure: Failure,
  attempt_status: "declined" | "not_sent",
  cause: Cause,
): Decision {
  const { attempt_number } = input.attempt;
  const delay = retryDelay(input, failure, attempt_number);
  if (delay !== undefined)
    return become("RETRY_SCHEDULED", attempt_status, cause, {
      ...failed(failure),
      retry_delay_seconds: delay,
    });
  const isExhausted = input.policies[failure.class].strategy !== "none";
  return become("FAILED", attempt_status, isExhausted ? "retries_exhausted" : cause, {
    ...failed(failure),
    alarm: isExhausted ? `Given up after ${attempt_number} attempts: ${failure.message}` : null,
  });
}

/** A report about a closed attempt: harmless repetition, or money that moved although we hold it did not. */
function contradiction(input: DecisionInput): Decision | null {
  const { attempt, outcome } = input;
  // A capture or whatever else a person made there.
  if (outcome.kind === "unknown" && input.source.kind === "webhook")
    return discrepancy(input, outcome.reason);
  if (attempt.status === "succeeded") return chargedOtherwise(input) ?? bounced(input);
  // Older than the failure of its capture, unless it is a capture of its own.
  if (
    attempt.failure?.code === capture_failed &&
    outcome.kind === "succeeded" &&
    outcome.capture_reference === undefined
  )
    return null;
  const isMoney =
    outcome.kind === "succeeded" || (outcome.kind === "authorized" && outcome.captured.amount_minor > 0n);
  if (!isMoney) return null;
  const reported = `The PSP reports a success (${outcome.psp_reference})`;
  return discrepancy(input, `${reported} for an attempt that was closed as ${attempt.status}.`);
}

const discrepancy = (input: DecisionInput, alarm: string): Decision =>
  unchanged(input, { alarm, alarm_kind: "discrepancy" });

/**
 * A PSP's decline of a paid attempt is an older report. A collector ends each attempt once: its money may
 * have bounced.
 */
function bounced(input: DecisionInput): Decision | null {
  const { outcome, can_be_asked } = input;
  if (can_be_asked || outcome.kind !== "declined") return null;
  const reported = `The account reports ${outcome.psp_reference} as not collected (${outcome.failure.code})`;
  return discrepancy(input, `${reported}, after it had reported it as collected.`);
}
