import Stripe from "stripe";
import { isCurrencyCode } from "../../money/money.ts";
import { neverConnectedCodes } from "../http-client.ts";
import type { Failure, FailureClass, NextAction, PspOutcome } from "../port-outcomes.ts";
import { withReferences } from "../references.ts";
import { fromStripeAmount } from "./amounts.ts";
import { referencesOfIntent } from "./references.ts";

/** Stripe's decline codes that have a name of our own; all others keep Stripe's. */
const ourCodes = new Map([
  ["incorrect_cvc", "invalid_cvv"],
  ["fraudulent", "fraud_detected"],
  ["generic_decline", "card_declined"],
]);
/**
 * Declines after which Stripe's own advice is to try again later (https://docs.stripe.com/declines/codes).
 */
const transientCodes = new Set([
  "processing_error",
  "issuer_not_available",
  "reenter_transaction",
  "try_again_later",
  "approve_with_id",
]);

/** The outcome of an intent's charge. */
export const outcomeOfIntent = (intent: Stripe.PaymentIntent): PspOutcome =>
  withReferences(stateOfIntent(intent), referencesOfIntent(intent));

function stateOfIntent(intent: Stripe.PaymentIntent): PspOutcome {
  switch (intent.status) {
    case "succeeded": {
      const currency = intent.currency.toUpperCase();
      const charged = isCurrencyCode(currency)
        ? fromStripeAmount(intent.amount_received, currency)
        : undefined;
      if (charged === undefined)
        return {
          kind: "unknown",
          reason: `Stripe reports ${intent.amount_received} ${currency}, which cannot be read as an amount.`,
        };
      return { kind: "succeeded", psp_reference: intent.id, charged };
    }
    case "requires_capture":
      return outcomeOfAuthorization(intent);
    case "processing":
    case "requires_action":
    case "requires_confirmation":
      return { kind: "pending", psp_reference: intent.id, next_action: nextActionOf(intent) };
    case "requires_payment_method":
      // Without an error no card was tried yet, so nothing was declined.
      if (intent.last_payment_error === null)
        return { kind: "pending", psp_reference: intent.id, next_action: null };
      // A buyer who has its client secret can still pay it.
      return {
        kind: "declined",
        psp_reference: intent.id,
        failure: failureOfDecline(intent.last_payment_error),
        is_open: true,
      };
    case "canceled":
      // An authorisation that was released by us, by a person at Stripe, or because it expired.
      if (intent.capture_method === "manual" && intent.latest_charge !== null) {
        const currency = intent.currency.toUpperCase();
        const captured = isCurrencyCode(currency)
          ? fromStripeAmount(intent.amount_received, currency)
          : undefined;
        const reason = intent.cancellation_reason === "automatic" ? "expired" : "canceled";
        return {
          kind: "canceled",
          psp_reference: intent.id,
          reason,
          ...(captured === undefined ? {} : { captured }),
        };
      }
      return {
        kind: "declined",
        psp_reference: intent.id,
        failure: {
          class: "hard_decline",
          code: "canceled_at_psp",
          message: "The payment was canceled at the PSP.",
        },
      };
    default:
      return { kind: "unknown", reason: `Stripe reports the state ${String(intent.status)}.` };
  }
}

/** Without a return URL Stripe names no address: then the buyer's browser needs the client secret. */
function nextActionOf({ next_action, client_secret }: Stripe.PaymentIntent): NextAction | null {
  if (next_action === null) return null;
  const redirect_url = next_action.redirect_to_url?.url ?? null;
  return {
    type: next_action.type,
    redirect_url,
    client_secret: redirect_url === null ? client_secret : null,
  };
}

function outcomeOfAuthorization(intent: Stripe.PaymentIntent): PspOutcome {
  const currency = intent.currency.toUpperCase();
  const authorized = isCurrencyCode(currency) ? fromStripeAmount(intent.amount, currency) : undefined;
  const captured = isCurrencyCode(currency) ? fromStripeAmount(intent.amount_received, currency) : undefined;
  if (authorized === undefined || captured === undefined) {
    const reported = `${intent.amount_received} of ${intent.amount} ${currency}`;
    return { kind: "unknown", reason: `Stripe reports ${reported}, which cannot be read as amounts.` };
  }
  const charge = intent.latest_charge;
  // Only an expanded charge shows it.
  const capture_before =
    typeof charge === "object" ? charge?.payment_method_details?.card?.capture_before : undefined;
  const expires_at = capture_before === undefined ? null : new Date(capture_before * 1_000);
  return { kind: "authorized", psp_reference: intent.id, authorized, captured, expires_at };
}

/**
 * Sorts what the SDK threw by what it says about the money: charged or not is only certain for
 * declines, refusals before the work began (4xx, 429) and connections that never opened.
 */
export function outcomeOfError(error: unknown): PspOutcome {
  if (error instanceof Stripe.errors.StripeCardError) {
    const intent = error.payment_intent;
    const failure = failureOfDecline({
      code: error.code,
      decline_code: error.decline_code,
      message: error.message,
    });
    return withReferences(
      { kind: "declined", psp_reference: intent?.id ?? null, failure },
      intent === undefined ? [] : referencesOfIntent(intent),
    );
  }
  if (error instanceof Stripe.errors.StripeRateLimitError) {
    return notSent(
      "rate_limited",
      "psp_rate_limited",
      "The PSP asked us to slow down.",
      retryAfterSeconds(error.headers),
    );
  }
  // The PSP is still processing an earlier request of ours with this key: only that one's result counts.
  if (error instanceof Stripe.errors.StripeError && error.statusCode === 409) {
    return unknown(
      "The PSP still works on an earlier request with this key.",
      retryAfterSeconds(error.headers) ?? 1,
    );
  }
  if (error instanceof Stripe.errors.StripeInvalidRequestError) {
    return notSent("invalid_request", error.code ?? "invalid_request", "The PSP did not accept the request.");
  }
  if (
    error instanceof Stripe.errors.StripeAuthenticationError ||
    error instanceof Stripe.errors.StripePermissionError
  ) {
    return notSent(
      "unreachable",
      "psp_key_refused",
      "The PSP refused our API key: check PSP_STRIPE_SECRET_KEY.",
    );
  }
  if (error instanceof Stripe.errors.StripeConnectionError && isNeverConnected(error)) {
    return notSent("unreachable", "psp_unreachable", "No connection to the PSP could be opened.");
  }
  if (error instanceof Stripe.errors.StripeError) {
    const status = error.statusCode === undefined ? "" : `, ${error.statusCode}`;
    return unknown(`The PSP gave no clear answer (${error.type}${status}).`);
  }
  throw error;
}

/** A 5xx that Stripe stores under the key: from now on the same request gets the same answer. */
export const isStoredFailure = (error: unknown): boolean =>
  error instanceof Stripe.errors.StripeError &&
  (error.statusCode ?? 0) >= 500 &&
  error.headers?.["idempotent-replayed"] === "true";

/**
 * Stripe calls a 5xx indeterminate and may carry the request out minutes later
 * (https://docs.stripe.com/error-low-level), so a charge that is not visible now may still follow.
 */
export const storedFailure: Extract<PspOutcome, { kind: "unknown" }> = {
  kind: "unknown",
  reason: "The PSP failed and may still carry out the request.",
  is_stored: true,
};

type DeclineDetails = {
  readonly code?: string | undefined;
  readonly decline_code?: string | undefined;
  readonly message?: string | undefined;
};

function failureOfDecline(details: DeclineDetails | null): Failure {
  const psp_code = details?.decline_code ?? details?.code ?? "card_declined";
  return {
    class: transientCodes.has(psp_code) ? "transient_decline" : "hard_decline",
    code: ourCodes.get(psp_code) ?? psp_code,
    message: details?.message ?? "The card was declined.",
  };
}

function notSent(
  failureClass: FailureClass,
  code: string,
  message: string,
  retry_after_seconds?: number,
): PspOutcome {
  return {
    kind: "not_sent",
    failure: {
      class: failureClass,
      code,
      message,
      ...(retry_after_seconds === undefined ? {} : { retry_after_seconds }),
    },
  };
}

function unknown(reason: string, retry_after_seconds?: number): PspOutcome {
  return { kind: "unknown", reason, ...(retry_after_seconds === undefined ? {} : { retry_after_seconds }) };
}

function retryAfterSeconds(headers: Record<string, string> | undefined): number | undefined {
  const seconds = Number(headers?.["retry-after"]);
  return Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, 3_600) : undefined;
}

function isNeverConnected(error: unknown): boolean {
  for (let cause: unknown = error; typeof cause === "object" && cause !== null;) {
    if ("code" in cause && typeof cause.code === "string" && neverConnectedCodes.has(cause.code)) return true;
    cause = causeOf(cause);
  }
  return false;
}

/** The SDK keeps what it caught in `detail`, other errors in `cause`. */
function causeOf(error: object): unknown {
  if ("detail" in error && error.detail !== undefined) return error.detail;
  return "cause" in error ? error.cause : null;
}
