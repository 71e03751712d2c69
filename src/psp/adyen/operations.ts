import type { Failure, OperationOutcome } from "../port-outcomes.ts";
import type { OperationRequest } from "../port.ts";
import { referenceIn } from "../references.ts";
import { toAdyenAmount } from "./amounts.ts";
import type { ModificationsApi } from "./library.ts";
import { outcomeOfError } from "./outcomes.ts";

/**
 * Requests a capture or a cancellation. Adyen only confirms that it received the request; a webhook with our
 * reference reports the result. Repeating it under its key gives the same answer.
 */
export async function operate(
  api: ModificationsApi,
  account: { readonly merchant_account: string; readonly has_multiple_partial_captures: boolean },
  request: OperationRequest,
): Promise<OperationOutcome> {
  const { kind, psp_reference, attempt_id, operation_id: reference, psp_key, turn } = request;
  // While the buyer must act, Adyen has nothing to void.
  if (psp_reference === null || psp_reference === attempt_id)
    return failed("state_conflict", "Adyen cannot void a payment that waits for its buyer.");
  // Adyen has no call that only asks, and no list that could prove anything.
  if (turn === "ask_only" || turn === "ask_for_proof") {
    return {
      kind: "unknown",
      reason: "The request is too old to repeat: Adyen may have forgotten its key.",
      no_call_made: true,
    };
  }
  // What was sent before is not refused now: the setting may have changed, and Adyen may have done it.
  if (
    kind === "capture" &&
    turn === "first_send" &&
    !request.is_final &&
    !account.has_multiple_partial_captures
  ) {
    return failed(
      "multiple_captures_not_enabled",
      "This Adyen account takes one capture: what it leaves is canceled. " +
        "Have multiple partial captures enabled, and say so in PSP_ACCOUNTS.",
    );
  }
  const merchantAccount = account.merchant_account;
  const options = { idempotencyKey: psp_key };
  try {
    if (kind === "void") {
      const cancel = { merchantAccount, reference };
      const answer = await api.cancelAuthorisedPaymentByPspReference(psp_reference, cancel, options);
      return accepted(kind, answer);
    }
    const converted = toAdyenAmount(request.money);
    if (!converted.ok) return failed("amount_not_supported", converted.reason);
    const capture = { merchantAccount, reference, amount: converted.amount };
    return accepted(kind, await api.captureAuthorisedPayment(psp_reference, capture, options));
  } catch (error) {
    const outcome = outcomeOfError(error);
    // Refused as such: not acted on, and neither was an equal request before it.
    if (outcome.kind === "not_sent" && outcome.failure.class === "invalid_request")
      return { kind: "failed", failure: outcome.failure };
    return outcome.kind === "not_sent" || outcome.kind === "unknown"
      ? outcome
      : { kind: "unknown", reason: "Adyen answered an operation with a charge's outcome." };
  }
}

/** Adyen gives each modification a reference of its own. */
const accepted = (
  type: OperationRequest["kind"],
  { pspReference }: { pspReference: string },
): OperationOutcome => ({
  kind: "accepted",
  psp_reference: pspReference,
  references: referenceIn(type, pspReference),
});

function failed(code: string, message: string): OperationOutcome {
  const failure: Failure = { class: "invalid_request", code, message };
  return { kind: "failed", failure, no_call_made: true };
}
