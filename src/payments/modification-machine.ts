import { authorization_ended, type Failure } from "../psp/psp.ts";
import {
  modified,
  unchanged,
  type DecidableModification,
  type Decision,
  type DecisionInput,
} from "./decision.ts";
import { contradiction } from "./modification-contradiction.ts";
import { afterCapture, afterFailure, afterVoid, end } from "./modification-effects.ts";
import { failedFor, heldBack, stillOpen } from "./modification-retry.ts";
import { isOvertaken, seenBy, type Seen } from "./modification-seen.ts";

/** News about an authorisation, or about a modification of an attempt that is closed. */
export function decideModification(input: DecisionInput): Decision | null {
  const { attempt, modification } = input;
  if (modification === null) return decideWithoutModification(input);
  const seen = seenBy(input, modification);
  if (isOvertaken(input, modification, seen)) return null;
  if (modification.status === "succeeded" || modification.status === "failed")
    return contradiction(input, modification, seen);
  if (attempt.status !== "authorized") return decideTooLate(input, modification, seen);
  switch (seen.kind) {
    case "done":
      return modification.kind === "void"
        ? afterVoid(input, modification, seen.psp_reference)
        : afterCapture(input, modification, seen.psp_reference);
    case "unchanged":
      return decideStill(input, modification);
    case "failed":
      return afterFailure(input, modification, seen.failure);
    case "not_sent":
      return unchanged(input, {
        modification:
          seen.is_unasked === true ? heldBack(seen.failure) : failedFor(input, modification, seen.failure),
      });
    case "accepted":
      return unchanged(input, { modification: stillOpen(input, modification, seen) });
    case "unknown":
      return decideUnclear(input, modification, seen);
  }
}

/** An answer to our own request must be followed up. What a PSP tells unclearly by itself is not about our change: a person looks. */
function decideUnclear(
  input: DecisionInput,
  modification: DecidableModification,
  seen: Extract<Seen, { kind: "unknown" }>,
): Decision | null {
  if (input.source.kind === "modification")
    return unchanged(input, { modification: stillOpen(input, modification, seen) });
  return input.source.kind === "webhook"
    ? unchanged(input, { alarm: seen.reason, alarm_kind: "discrepancy" })
    : null;
}

/** Of an authorisation under which nothing is under way: it may have ended, or a person took money at the PSP. */
function decideWithoutModification(input: DecisionInput): Decision | null {
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

/** The state does not show the change: an answer to our request must be followed up, a webhook may simply be an old one. */
function decideStill(input: DecisionInput, modification: DecidableModification): Decision | null {
  // Whether the capture came before the end only its own news can tell; then this decides about the rest.
  if (input.outcome.kind === "canceled")
    return unchanged(input, { authorization_ended_as: input.outcome.reason });
  if (input.source.kind !== "modification") return null;
  return unchanged(input, {
    modification: stillOpen(input, modification, {
      kind: "unknown",
      reason: "The PSP does not show the change yet.",
    }),
  });
}

/** The attempt was closed before its modification was decided. */
function decideTooLate(input: DecisionInput, modification: DecidableModification, seen: Seen): Decision {
  const isMade = seen.kind === "done" && modification.kind === "capture";
  const code = isMade ? "captured_too_late" : authorization_ended;
  const failure: Failure =
    seen.kind === "failed"
      ? seen.failure
      : { class: "hard_decline", code, message: "The payment had ended." };
  const alarm = isMade
    ? `The PSP reports a capture of ${modification.amount_minor} minor units of an attempt that was closed as ${input.attempt.status}.`
    : null;
  const decided = modified("failed", { failure });
  return unchanged(input, { alarm, alarm_kind: "discrepancy", modification: decided });
}
