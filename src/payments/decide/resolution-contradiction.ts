import { namesAnotherCharge } from "./another-charge.ts";
import { unchanged, type Decision, type DecisionInput } from "./decision.ts";
import { openAttemptStatuses } from "../model/model.ts";

/**
 * A PSP's report that contradicts a resolution: a person must look, and nothing is charged or booked twice.
 * Null: it does not contradict.
 */
export function contradictedResolution(
  input: DecisionInput,
  decideCharge: (input: DecisionInput) => Decision | null,
): Decision | null {
  const { attempt, source } = input;
  if (attempt.resolved_as === null || source.kind === "resolution") return null;
  const reported = contradictionIn(input);
  if (reported === null) return null;
  const alarm =
    `${reported}, but a person resolved the attempt as ${attempt.resolved_as}` +
    `${attempt.resolution_reference === null ? "" : ` (${attempt.resolution_reference})`}.`;
  // The resolution has not taken effect yet: the PSP's report that money moved is booked.
  const isBookable =
    attempt.resolved_as === "failed" &&
    openAttemptStatuses.includes(attempt.status) &&
    !namesAnotherCharge(attempt, input.outcome);
  const alarmed = { alarm, alarm_kind: "discrepancy" } as const;
  return isBookable
    ? { ...(decideCharge(input) ?? unchanged(input)), ...alarmed }
    : unchanged(input, alarmed);
}

function contradictionIn({ attempt, order, outcome }: DecisionInput): string | null {
  const { resolved_as, resolution_reference } = attempt;
  switch (outcome.kind) {
    case "succeeded":
    case "authorized": {
      if (resolved_as === "failed") return `The PSP reports ${outcome.kind} (${outcome.psp_reference})`;
      const { amount_minor, currency } = outcome.kind === "succeeded" ? outcome.charged : outcome.authorized;
      if (outcome.psp_reference !== resolution_reference) {
        return `The PSP reports another payment (${outcome.psp_reference}) of the attempt`;
      }
      const isCapturedLater = resolved_as === "authorized";
      const isSameAmount =
        currency === order.currency && (isCapturedLater || amount_minor === attempt.amount_minor);
      return isSameAmount ? null : `The PSP reports ${amount_minor} minor units of ${currency}`;
    }
    case "declined":
      return resolved_as === "failed" || outcome.is_open === true
        ? null
        : `The PSP reports that it declined the payment (${outcome.failure.message})`;
    case "not_sent":
      return resolved_as === "failed"
        ? null
        : `Our request did not reach the PSP (${outcome.failure.message})`;
    case "canceled":
      // An authorisation may well end later.
      return resolved_as === "succeeded" ? `The PSP reports that the payment was ${outcome.reason}` : null;
    case "pending": {
      // The buyer could go on to pay it, while another attempt may begin.
      const isShown = outcome.psp_reference !== null && openAttemptStatuses.includes(attempt.status);
      return resolved_as === "failed" && isShown
        ? `The PSP shows the payment (${outcome.psp_reference}), which may still be made`
        : null;
    }
    default:
      return null;
  }
}
