import { authorization_ended, changeSeenIn, type Failure, type ModificationOutcome } from "../psp/psp.ts";
import { toCurrencyCode } from "../money/money.ts";
import { capture_failed, undoCapture } from "./capture-failure.ts";
import {
  become,
  doubted,
  inquiryAlarm,
  inquiryDelay,
  modified,
  retryDelay,
  unchanged,
  type DecidableModification,
  type Decision,
  type DecisionInput,
  type ModificationDecision,
} from "./decision.ts";
import type { Cause } from "./model.ts";

/** The code of a failure that a person has seen at the PSP. */
export const resolved_by_person = "resolved_by_person";
/** With the pauses of inquiries about two hours, until a person hears that a PSP owes us an answer. */
const answers_awaited_max = 30;

/** What the news say about the modification. */
type Seen = ModificationOutcome | { readonly kind: "unchanged" };

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

/**
 * News while an attempt that waits for its buyer is given up: it may be given up, paid meanwhile, or neither yet.
 * `decideCharge` and `decline` say what becomes of the charge.
 */
export function decideVoid(
  input: DecisionInput,
  decideCharge: (input: DecisionInput) => Decision | null,
  decline: (input: DecisionInput, failure: Failure) => Decision,
): Decision | null {
  const { modification, attempt, is_answer_to_modification } = input;
  if (modification === null) return decideCharge(input);
  const seen = seenBy(input, modification);
  if (isOvertaken(input, modification, seen)) return null;
  switch (seen.kind) {
    case "done": {
      const succeeded = modified("succeeded", { psp_reference: seen.psp_reference });
      if (modification.void_cause === "declined" && attempt.failure !== null)
        return { ...decline(input, attempt.failure), modification: succeeded };
      const cause: Cause = modification.void_cause === "expired" ? "expired" : "canceled";
      return become("CANCELED", "canceled", cause, {
        error: { code: cause, message: "The payment was given up." },
        modification: succeeded,
      });
    }
    case "unchanged": {
      const still = is_answer_to_modification
        ? stillOpen(input, modification, { kind: "unknown", reason: "The PSP has not given it up." })
        : null;
      // The buyer has authenticated meanwhile. Anything else is for the void to end, and keeps why it began.
      return {
        ...(input.outcome.kind === "authorized"
          ? (decideCharge(input) ?? unchanged(input))
          : unchanged(input)),
        modification: still,
      };
    }
    case "failed":
    case "not_sent": {
      const decided =
        seen.kind === "not_sent" && seen.is_unasked === true
          ? heldBack(seen.failure)
          : failedFor(input, modification, seen.failure);
      if (input.outcome.kind === "succeeded")
        return { ...(decideCharge(input) ?? unchanged(input)), modification: { ...decided, alarm: null } };
      // Given up the giving up: the payment is asked about as before.
      return unchanged(input, {
        modification: decided,
        retry_delay_seconds: decided.status === "failed" ? 1 : null,
      });
    }
    case "accepted":
    case "unknown":
      return is_answer_to_modification
        ? unchanged(input, { modification: stillOpen(input, modification, seen) })
        : unchanged(input);
  }
}

function seenBy(
  { outcome, order, attempt, is_first_send }: DecisionInput,
  { kind, amount_minor }: DecidableModification,
): Seen {
  // A decline is about the charge, and that was authorised.
  if (outcome.kind === "registered" || (outcome.kind === "declined" && attempt.status === "authorized"))
    return { kind: "unchanged" };
  const money = {
    amount_minor: amount_minor ?? attempt.amount_minor,
    currency: toCurrencyCode(order.currency),
  };
  return doubted(
    changeSeenIn(outcome, { kind, money, captured_before_minor: order.captured_minor }),
    is_first_send,
  );
}

/** The answer to a request with an earlier key, which was given up: only that it was done after all is news. */
const isOvertaken = (
  { sent_key_number }: DecisionInput,
  { key_number }: DecidableModification,
  seen: Seen,
): boolean => sent_key_number !== null && sent_key_number !== key_number && seen.kind !== "done";

/** An answer to our own request must be followed up. What a PSP tells unclearly by itself is not about our change: a person looks. */
function decideUnclear(
  input: DecisionInput,
  modification: DecidableModification,
  seen: Extract<Seen, { kind: "unknown" }>,
): Decision | null {
  if (input.is_answer_to_modification)
    return unchanged(input, { modification: stillOpen(input, modification, seen) });
  return input.is_webhook ? unchanged(input, { alarm: seen.reason, alarm_kind: "discrepancy" }) : null;
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
      return input.is_webhook ? unchanged(input, { alarm: outcome.reason, alarm_kind: "discrepancy" }) : null;
    // What is authorised cannot be declined: whoever says so speaks of something else.
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

function afterCapture(
  input: DecisionInput,
  { amount_minor, is_final }: DecidableModification,
  psp_reference: string | null,
): Decision {
  const { order, attempt, outcome, releases_rest } = input;
  const captures_minor = amount_minor ?? 0n;
  const rest_minor = order.amount_minor - order.captured_minor - captures_minor;
  const booked = { captures_minor, modification: modified("succeeded", { psp_reference }) };
  const isClosed =
    outcome.kind === "succeeded" || outcome.kind === "canceled" || attempt.authorization_ended_as !== null;
  if (rest_minor === 0n || isClosed || (is_final && releases_rest)) {
    return become("SUCCESS", "succeeded", "captured", { ...booked, releases_minor: rest_minor });
  }
  // Where the PSP keeps the rest, it is given up by a void of its own.
  return become(order.status, "authorized", order.status_cause, {
    ...booked,
    void_cause: is_final ? "canceled" : null,
  });
}

const afterVoid = (
  input: DecisionInput,
  { void_cause }: DecidableModification,
  psp_reference: string | null,
): Decision => ({
  ...end(input, void_cause === "expired" ? "expired" : "canceled"),
  modification: modified("succeeded", { psp_reference }),
});

/** The authorisation is over: what was not taken is the buyer's again. */
function end({ order }: DecisionInput, reason: "canceled" | "expired"): Decision {
  const releases_minor = order.amount_minor - order.captured_minor;
  if (order.captured_minor > 0n) return become("SUCCESS", "succeeded", "rest_released", { releases_minor });
  const message = reason === "expired" ? "The time to capture ran out." : "The authorisation was given up.";
  return become("CANCELED", "canceled", reason, { releases_minor, error: { code: reason, message } });
}

/** The state does not show the change: an answer to our request must be followed up, a webhook may simply be an old one. */
function decideStill(input: DecisionInput, modification: DecidableModification): Decision | null {
  // Whether the capture came before the end only its own news can tell; then this decides about the rest.
  if (input.outcome.kind === "canceled")
    return unchanged(input, { authorization_ended_as: input.outcome.reason });
  if (!input.is_answer_to_modification) return null;
  return unchanged(input, {
    modification: stillOpen(input, modification, {
      kind: "unknown",
      reason: "The PSP does not show the change yet.",
    }),
  });
}

function afterFailure(input: DecisionInput, modification: DecidableModification, failure: Failure): Decision {
  const decided = failedFor(input, modification, failure);
  const { order, attempt, outcome } = input;
  if (attempt.authorization_ended_as !== null)
    return { ...end(input, attempt.authorization_ended_as), modification: modified("failed", { failure }) };
  // The state that refuses the change is itself the end of the authorisation.
  if (failure.code === authorization_ended && outcome.kind !== "failed") {
    return {
      ...end(input, outcome.kind === "canceled" ? outcome.reason : "canceled"),
      modification: { ...decided, alarm: null },
    };
  }
  // Some PSPs give up nothing once a part is captured: we take no more, so the order has ended all the same.
  const isRestKept = modification.kind === "void" && order.captured_minor > 0n && isRefusal(input, failure);
  return isRestKept
    ? { ...end(input, "canceled"), modification: decided }
    : unchanged(input, { modification: decided });
}

/** Neither what a person said, nor that more was taken than we know of. */
const isRefusal = ({ policies }: DecisionInput, { class: failureClass, code }: Failure): boolean =>
  policies[failureClass].strategy === "none" && code !== "paid_meanwhile" && code !== resolved_by_person;

/** No request was made, so the key was not used, nor a try. */
const heldBack = ({ retry_after_seconds = 1 }: Failure): ModificationDecision =>
  modified("queued", { retry_delay_seconds: retry_after_seconds });

/** Surely not done: tried again under another key by the policy of its class, from the start, or given up. */
function failedFor(
  input: DecisionInput,
  modification: DecidableModification,
  failure: Failure,
): ModificationDecision {
  const delay = retryDelay(input, failure, modification.key_number);
  if (delay !== undefined)
    return modified("queued", { failure, is_new_key: true, retry_delay_seconds: delay });
  const isExhausted = input.policies[failure.class].strategy !== "none";
  if (isExhausted)
    return modified("failed", {
      failure,
      alarm: `Given up after ${modification.key_number} tries: ${failure.message}`,
    });
  return modified("failed", {
    failure,
    alarm: leavesMoneyHeld(modification, failure)
      ? `It could not be given up at the PSP, and may stay held there: ${failure.message}`
      : null,
  });
}

/** A void that fails leaves money held, unless the buyer has paid with it what he was to pay, or a person knows. */
const leavesMoneyHeld = ({ kind, void_cause }: DecidableModification, { code }: Failure): boolean =>
  kind === "void" && code !== resolved_by_person && !(void_cause === "declined" && code === "paid_meanwhile");

function stillOpen(
  input: DecisionInput,
  { inquiry_count }: DecidableModification,
  seen: Extract<Seen, { kind: "accepted" | "unknown" }>,
): ModificationDecision {
  if (seen.kind === "accepted") {
    const alarm =
      inquiry_count === answers_awaited_max ? "The PSP accepted it and does not say how it ended." : null;
    return modified("pending", {
      psp_reference: seen.psp_reference,
      retry_delay_seconds: inquiryDelay(input, inquiry_count),
      alarm,
    });
  }
  const failure: Failure = { class: "unreachable", code: "outcome_unknown", message: seen.reason };
  return modified("unknown", {
    failure,
    retry_delay_seconds: inquiryDelay(input, inquiry_count, seen.retry_after_seconds),
    alarm: inquiryAlarm(inquiry_count, seen.reason),
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

/** News about a decided modification: a repetition, or the opposite of what we hold. */
function contradiction(
  input: DecisionInput,
  modification: DecidableModification,
  seen: Seen,
): Decision | null {
  const { order, attempt, outcome } = input;
  const { kind, status } = modification;
  const taken_minor =
    outcome.kind === "succeeded"
      ? outcome.charged.amount_minor
      : outcome.kind === "authorized"
        ? outcome.captured.amount_minor
        : 0n;
  if (
    seen.kind === "failed" &&
    seen.capture_reference !== undefined &&
    kind === "capture" &&
    status === "succeeded"
  ) {
    return undoCapture(input, modification, seen.capture_reference, seen.failure);
  }
  // Older than the failure of this very capture.
  const isOld =
    seen.kind === "done" &&
    modification.failure_code === capture_failed &&
    (modification.psp_reference === null || modification.psp_reference === seen.psp_reference);
  if (isOld) return null;
  const isOpposite =
    (seen.kind === "done" && status === "failed") || (seen.kind === "failed" && status === "succeeded");
  // Only news that name the modification tell of it; a state that came late does not.
  const isNamed = input.is_answer_to_modification || outcome.kind === "done" || outcome.kind === "failed";
  if (isOpposite && isNamed) {
    const alarm = `The PSP reports a ${kind} as ${seen.kind} that ${status} here.`;
    // A capture is booked once: one that was reversed cannot be booked again under its name.
    const isBookable =
      seen.kind === "done" &&
      kind === "capture" &&
      attempt.status === "authorized" &&
      modification.failure_code !== capture_failed &&
      order.captured_minor + order.capturing_minor + (modification.amount_minor ?? 0n) <= order.amount_minor;
    const told = { alarm, alarm_kind: "discrepancy" } as const;
    if (!isBookable) return unchanged(input, told);
    return { ...afterCapture(input, modification, seen.psp_reference), ...told };
  }
  if (taken_minor <= order.captured_minor + order.capturing_minor) return null;
  const alarm =
    `The PSP has taken ${taken_minor} minor units, more than the ${order.captured_minor} ` +
    `captured here and the ${order.capturing_minor} under way.`;
  return unchanged(input, { alarm, alarm_kind: "discrepancy" });
}
