import { changeSeenIn, type OperationOutcome } from "../../psp/psp.ts";
import { toCurrencyCode } from "../../money/money.ts";
import { asUnknownIfResent, type DecidableOperation, type DecisionInput } from "./decision.ts";

/** What the report says about the operation. */
export type Seen = OperationOutcome | { readonly kind: "unchanged" };

export function seenBy(
  { outcome, order, attempt, source }: DecisionInput,
  { kind, amount_minor }: DecidableOperation,
): Seen {
  // A decline is about the charge, and that was authorised.
  if (outcome.kind === "registered" || (outcome.kind === "declined" && attempt.status === "authorized"))
    return { kind: "unchanged" };
  const money = {
    amount_minor: amount_minor ?? attempt.amount_minor,
    currency: toCurrencyCode(order.currency),
  };
  return asUnknownIfResent(
    changeSeenIn(outcome, { kind, money, captured_before_minor: order.captured_minor }),
    source,
  );
}

/**
 * The answer to a request with an earlier key, which was given up: only that it was done after all counts.
 */
export const isOvertaken = (
  { source }: DecisionInput,
  { key_number }: DecidableOperation,
  seen: Seen,
): boolean => source.kind === "operation" && source.key_number !== key_number && seen.kind !== "done";
