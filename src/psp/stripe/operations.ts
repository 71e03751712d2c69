import Stripe from "stripe";
import { changeSeenIn } from "../operation-state.ts";
import type { OperationAnswer, PspOutcome } from "../port-outcomes.ts";
import type { OperationRequest } from "../port.ts";
import { toStripeAmount } from "./amounts.ts";
import { isStoredFailure, outcomeOfError, outcomeOfIntent, storedFailure } from "./outcomes.ts";
import { closePage } from "./pages.ts";

/**
 * Captures or cancels an intent, or expires a page, and gives what it then is. Stripe's total of what was
 * taken (`amount_received`) tells whether a capture happened, whatever became of the answer to it.
 */
export async function operate(stripe: Stripe, request: OperationRequest): Promise<OperationAnswer> {
  const { page_token, psp_reference } = request;
  if (page_token !== null) return closePage(stripe, page_token);
  if (psp_reference === null)
    return { kind: "unknown", reason: "The PSP has not returned an id for the payment.", no_call_made: true };
  if (request.turn !== "first_send") {
    const state = await stateOf(stripe, psp_reference);
    if (changeSeenIn(state, request).kind !== "unchanged" || request.turn === "ask_only") return state;
    if (request.turn === "ask_for_proof") return nothingDone;
  }
  try {
    return outcomeOfIntent(await send(stripe, psp_reference, request));
  } catch (error) {
    return afterError(stripe, psp_reference, request, error);
  }
}

async function send(
  stripe: Stripe,
  psp_reference: string,
  request: OperationRequest,
): Promise<Stripe.PaymentIntent> {
  const options = { idempotencyKey: request.psp_key };
  if (request.kind === "void") return stripe.paymentIntents.cancel(psp_reference, {}, options);
  const converted = toStripeAmount(request.money);
  // A part of an amount that Stripe takes may be one that it does not take: 1.234 of 2.230 BHD.
  if (!converted.ok) throw new AmountError(converted.reason);
  // Accounts without multicapture do not know the parameter.
  return stripe.paymentIntents.capture(
    psp_reference,
    {
      amount_to_capture: converted.amount,
      ...(request.is_final ? {} : { final_capture: false }),
      expand: [...shown],
    },
    options,
  );
}

/** With its charge an intent shows the balance transaction of the last capture. */
const shown = ["latest_charge"] as const;

class AmountError extends Error {}

const nothingDone: OperationAnswer = {
  kind: "failed",
  failure: { class: "transient_decline", code: "psp_error", message: "The PSP failed and changed nothing." },
};

async function stateOf(stripe: Stripe, psp_reference: string): Promise<PspOutcome> {
  try {
    return outcomeOfIntent(await stripe.paymentIntents.retrieve(psp_reference, { expand: [...shown] }));
  } catch (error) {
    const outcome = outcomeOfError(error);
    return outcome.kind === "unknown"
      ? outcome
      : { kind: "unknown", reason: "Stripe did not report the state of the payment." };
  }
}

async function afterError(
  stripe: Stripe,
  psp_reference: string,
  request: OperationRequest,
  error: unknown,
): Promise<OperationAnswer> {
  if (error instanceof AmountError)
    return {
      kind: "failed",
      no_call_made: true,
      failure: { class: "invalid_request", code: "amount_not_supported", message: error.message },
    };
  const isStored = isStoredFailure(error);
  // The intent itself may show what happened.
  if (isStored || isStateConflict(error)) {
    const state = await stateOf(stripe, psp_reference);
    if (changeSeenIn(state, request).kind !== "unchanged") return state;
    // A void may be repeated under any key. A capture may still be carried out, and a second one would take
    // the amount again.
    if (isStored) return request.kind === "void" ? nothingDone : storedFailure;
    return {
      kind: "failed",
      failure: {
        class: "hard_decline",
        code: "state_conflict",
        message: "The state of the payment at the PSP does not allow this.",
      },
    };
  }
  const outcome = outcomeOfError(error);
  // A request refused as such was not acted on, and neither was an equal one before it: that would be 409 or
  // its stored answer.
  const isRefused =
    outcome.kind === "declined" ||
    (outcome.kind === "not_sent" && outcome.failure.class === "invalid_request");
  return isRefused ? { kind: "failed", failure: outcome.failure } : outcome;
}

const isStateConflict = (error: unknown): boolean =>
  error instanceof Stripe.errors.StripeInvalidRequestError &&
  error.code === "payment_intent_unexpected_state";
