import type { PspOutcome } from "../../psp/psp.ts";
import { become, unchanged, type Decision, type DecisionInput } from "./decision.ts";
import { amount_mismatch } from "../model/model.ts";

/** A letter of its own: an older one about the same order must not hide that money was taken. */
export const mismatch = (message: string): Decision =>
  become("UNKNOWN", "unknown", "psp_unknown", {
    error: { code: amount_mismatch, message },
    alarm: message,
    alarm_kind: "discrepancy",
  });

/**
 * Whether an attempt of which a wrong amount was taken stays as it is: a report that says less does not
 * take that back, and a dead letter has told a person.
 */
export const staysMismatched = (
  { attempt, source }: DecisionInput,
  outcome: { readonly kind: string; readonly psp_reference?: string | null },
): boolean =>
  attempt.failure_code === amount_mismatch &&
  source.kind !== "resolution" &&
  (["unknown", "pending", "not_sent"].includes(outcome.kind) ||
    (outcome.kind === "declined" && outcome.psp_reference === null));

/** A success, or an authorisation, that is not what was booked for a paid attempt. Null: it repeats that. */
export function chargedOtherwise(input: DecisionInput): Decision | null {
  const reported = otherAmountIn(input);
  if (reported === null) return null;
  return unchanged(input, { alarm: `${reported} is booked here.`, alarm_kind: "discrepancy" });
}

function otherAmountIn({ order, attempt, outcome }: DecisionInput): string | null {
  if (outcome.kind !== "succeeded" && outcome.kind !== "authorized") return null;
  const isCapturedLater = outcome.kind === "succeeded" && attempt.capture_method === "manual";
  const { amount_minor, currency } = outcome.kind === "succeeded" ? outcome.charged : outcome.authorized;
  const booked_minor = isCapturedLater ? order.captured_minor : attempt.amount_minor;
  if (amount_minor !== booked_minor || currency !== order.currency)
    return sentenceOf(outcome, amount_minor, currency, `${booked_minor} of ${order.currency}`);
  if (outcome.kind === "succeeded" || outcome.captured.amount_minor <= order.captured_minor) return null;
  return sentenceOf(outcome, outcome.captured.amount_minor, currency, `a capture of ${order.captured_minor}`);
}

const sentenceOf = (
  { kind, psp_reference }: Extract<PspOutcome, { kind: "succeeded" | "authorized" }>,
  amount_minor: bigint,
  currency: string,
  booked: string,
): string =>
  `The PSP reports ${kind} (${psp_reference}) with ${amount_minor} minor units of ${currency}, and ${booked}`;
