import { authorization_ended, type Failure } from "../../psp/psp.ts";
import {
  operationAs,
  unchanged,
  type DecidableOperation,
  type Decision,
  type DecisionInput,
} from "./decision.ts";
import { contradiction } from "./operation-contradiction.ts";
import { afterCapture, afterFailedOperation, afterVoid, end } from "./operation-effects.ts";
import { notSent, stillOpen } from "./operation-retry.ts";
import { isOvertaken, seenBy, type Seen } from "./operation-seen.ts";

/** A report about an authorisation, or about an operation of an attempt that is closed. */
export function decideOperation(input: DecisionInput): Decision | null {
  const { attempt, operation } = input;
  if (operation === null) return decideWithoutOperation(input);
  const seen = seenBy(input, operation);
  if (isOvertaken(input, operation, seen)) return null;
  if (operation.status === "succeeded" || operation.status === "failed")
    return contradiction(input, operation, seen);
  if (attempt.status !== "authorized") return decideTooLate(input, operation, seen);
  switch (seen.kind) {
    case "done":
      return operation.kind === "void"
        ? afterVoid(input, operation, seen.psp_reference)
        : afterCapture(input, operation, seen.psp_reference);
    case "unchanged":
      return decideStill(input, operation);
    case "failed":
      return afterFailedOperation(input, operation, seen.failure);
    case "not_sent":
      return unchanged(input, { operation: notSent(input, operation, seen) });
    case "accepted":
      return unchanged(input, { operation: stillOpen(input, operation, seen) });
    case "unknown":
      return decideUnclear(input, operation, seen);
  }
}

/**
 * An answer to our own request must be followed up. An unclear webhook is not about our change: a person must
 * look.
 */
function decideUnclear(
  input: DecisionInput,
  operation: DecidableOperation,
  seen: Extract<Seen, { kind: "unknown" }>,
): Decision | null {
  if (input.source.kind === "operation")
    return unchanged(input, { operation: stillOpen(input, operation, seen) });
  return input.source.kind === "webhook"
    ? unchanged(input, { alarm: seen.reason, alarm_kind: "discrepancy" })
    : null;
}

/**
 * A report about an authorisation with no operation in flight: it may have ended, or a person took money at
 * the PSP.
 */
function decideWithoutOperation(input: DecisionInput): Decision | null {
  const { order, outcome } = input;
  switch (outcome.kind) {
    case "canceled":
      return end(input, outcome.reason);
    case "succeeded":
    case "authorized": {
      const total_minor =
        outcome.kind === "succeeded" ? outcome.charged.amount_minor : outcome.captured.amount_minor;
      if (total_minor > order.captured_minor) {
        const unasked_minor = total_minor - order.captured_minor;
        const alarm =
          `The PSP has taken ${total_minor} minor units (${outcome.psp_reference}), of which ` +
          `nobody here asked for ${unasked_minor}.`;
        return unchanged(input, { alarm, alarm_kind: "discrepancy" });
      }
      // An old state says less than what is known.
      return outcome.kind === "succeeded" && total_minor === order.captured_minor
        ? end(input, "canceled")
        : null;
    }
    case "unknown":
      return input.source.kind === "webhook"
        ? unchanged(input, { alarm: outcome.reason, alarm_kind: "discrepancy" })
        : null;
    // An authorised payment cannot be declined: such a report concerns something else.
    case "declined":
    case "pending":
    case "not_sent":
    case "registered":
    case "capture_failed":
    case "done":
    case "accepted":
    case "failed":
      return null;
  }
}

/**
 * The state does not show the change: an answer to our request must be followed up, a webhook may simply be
 * an old one.
 */
function decideStill(input: DecisionInput, operation: DecidableOperation): Decision | null {
  // Only the capture's own report can tell whether it came before the end; then this decides about the rest.
  if (input.outcome.kind === "canceled")
    return unchanged(input, { authorization_ended_as: input.outcome.reason });
  if (input.source.kind !== "operation") return null;
  return unchanged(input, {
    operation: stillOpen(input, operation, {
      kind: "unknown",
      reason: "The PSP does not show the change yet.",
    }),
  });
}

/** The attempt was closed before its operation was decided. */
function decideTooLate(input: DecisionInput, operation: DecidableOperation, seen: Seen): Decision {
  const isMade = seen.kind === "done" && operation.kind === "capture";
  const code = isMade ? "captured_too_late" : authorization_ended;
  const failure: Failure =
    seen.kind === "failed"
      ? seen.failure
      : { class: "hard_decline", code, message: "The payment had ended." };
  const capture = `a capture of ${operation.amount_minor} minor units`;
  const alarm = isMade
    ? `The PSP reports ${capture} of an attempt that was closed as ${input.attempt.status}.`
    : null;
  const decided = operationAs("failed", { failure });
  return unchanged(input, { alarm, alarm_kind: "discrepancy", operation: decided });
}
