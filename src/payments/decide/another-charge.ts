import { unchanged, type AttemptOutcome, type Decision, type DecisionInput } from "./decision.ts";
import type { Money } from "../../money/money.ts";
import { openAttemptStatuses } from "../model/model.ts";

/** What an attempt goes by at its PSP. */
type Names = Pick<
  DecisionInput["attempt"],
  "attempt_id" | "page_token" | "psp_reference" | "resolved_as" | "resolution_reference"
>;

/**
 * A report about another charge than the attempt's own: somebody else's money, or the buyer's a second time.
 * It says nothing about the attempt, so a person must look. Null: it is about the attempt's own charge, or
 * may be.
 */
export function reportOfAnotherCharge(input: DecisionInput): Decision | null {
  const { attempt, outcome, source } = input;
  if (source.kind === "resolution" || !namesAnotherCharge(attempt, outcome)) return null;
  const isAuthorized = attempt.status === "authorized";
  // An authorisation is not ended by any decline, and a charge that was declined holds nothing.
  if (isAuthorized && outcome.kind === "declined") return null;
  const isOver = !isAuthorized && !openAttemptStatuses.includes(attempt.status);
  // Nothing can be ended any more, and no money is held.
  if (isOver && (outcome.kind === "pending" || outcome.kind === "declined" || outcome.kind === "canceled"))
    return unchanged(input);
  const charge = `${chargeNamedIn(outcome, attempt)}${amountIn(outcome)}`;
  const alarm =
    `The PSP reports ${whatIn(outcome)} (${charge}) of another charge than the attempt's own ` +
    `(${ownCharge(attempt)}). It is not booked here.`;
  return unchanged(input, { alarm, alarm_kind: "discrepancy" });
}

/** Whether the report names another charge than the one that the attempt is known to have. */
export function namesAnotherCharge(attempt: Names, outcome: AttemptOutcome): boolean {
  const own = ownCharge(attempt);
  const named = chargeNamedIn(outcome, attempt);
  if (own === null || named === null || named === own) return false;
  // A person may have seen another charge at the PSP than the one it reported first.
  const isSeen = attempt.resolved_as === "succeeded" || attempt.resolved_as === "authorized";
  return !(isSeen && named === attempt.resolution_reference);
}

/**
 * The reference that the attempt learns from a report; null: it keeps its own. Only a person changes a known
 * one.
 */
export function learntReference(
  attempt: Names,
  outcome: AttemptOutcome,
  is_resolution: boolean,
): string | null {
  if (is_resolution) return referenceIn(outcome);
  const named = chargeNamedIn(outcome, attempt);
  // A page, or our own id, goes by its name until there is a charge.
  if (named === null) return ownCharge(attempt) === null ? placeholderIn(outcome, attempt) : null;
  return namesAnotherCharge(attempt, outcome) ? null : named;
}

/** The PSP's reference of the attempt's charge, once there is one. */
const ownCharge = ({ psp_reference, attempt_id, page_token }: Names): string | null =>
  psp_reference === attempt_id || psp_reference === page_token ? null : psp_reference;

/** The reference of a charge; null where the report names none. */
function chargeNamedIn(outcome: AttemptOutcome, attempt: Names): string | null {
  const reference = referenceIn(outcome);
  return placeholderIn(outcome, attempt) === reference ? null : reference;
}

/** Before there is a charge a PSP names its page, or repeats our id. */
function placeholderIn(outcome: AttemptOutcome, { attempt_id, page_token }: Names): string | null {
  const reference = referenceIn(outcome);
  return reference === attempt_id || reference === page_token ? reference : null;
}

/** References of changes, and of captures whose charge the PSP does not name, name no charge. */
function referenceIn(outcome: AttemptOutcome): string | null {
  switch (outcome.kind) {
    case "succeeded":
      return outcome.psp_reference === outcome.capture_reference ? null : outcome.psp_reference;
    case "capture_failed":
      return outcome.psp_reference ?? null;
    case "authorized":
    case "declined":
    case "canceled":
    case "pending":
      return outcome.psp_reference;
    default:
      return null;
  }
}

function amountIn(outcome: AttemptOutcome): string {
  switch (outcome.kind) {
    case "succeeded":
      return amountText(outcome.charged);
    case "authorized":
      return amountText(outcome.authorized);
    default:
      return "";
  }
}

const amountText = ({ amount_minor, currency }: Money): string =>
  `, ${amount_minor} minor units of ${currency}`;

function whatIn({ kind }: AttemptOutcome): string {
  switch (kind) {
    case "succeeded":
      return "a success";
    case "authorized":
      return "an authorisation";
    case "capture_failed":
      return "a failed capture";
    case "declined":
      return "a decline";
    case "canceled":
      return "the end";
    default:
      return "the start";
  }
}
