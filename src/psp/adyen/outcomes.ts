import { HttpTimeoutError, neverConnectedCodes } from "../http-client.ts";
import type { Money } from "../../money/money.ts";
import type { FailureClass, NextAction, PspOutcome } from "../port-outcomes.ts";
import type { CaptureMethod, ChargeRequest } from "../port.ts";
import { referenceIn, withReferences } from "../references.ts";
import { fromAdyenAmount } from "./amounts.ts";
import { AdyenAnswerError } from "./http-client.ts";
import { PaymentResponse } from "./library.ts";
import { failureOfRefusal } from "./refusals.ts";

const fraud_cancelled = "22";

/**
 * Reads Adyen's result code
 * (https://docs.adyen.com/online-payments/build-your-integration/payment-result-codes).
 */
export function outcomeOfPayment(payment: PaymentResponse, request: PaymentRequested): PspOutcome {
  const { merchantReference, pspReference } = payment;
  if (merchantReference !== undefined && merchantReference !== request.attempt_id) {
    return unknown("Adyen answered for another payment: the key was used before.");
  }
  const outcome = resultOf(payment, request);
  // While the buyer must act the answer's reference is not the payment's.
  const isUnnamed = outcome.kind === "pending" && outcome.psp_reference === request.attempt_id;
  return withReferences(outcome, isUnnamed ? [] : referenceIn("payment", pspReference));
}

type PaymentRequested = Pick<ChargeRequest, "attempt_id" | "money" | "capture_method">;

function resultOf(payment: PaymentResponse, request: PaymentRequested): PspOutcome {
  const { resultCode, pspReference, refusalReason, refusalReasonCode } = payment;
  switch (resultCode) {
    case PaymentResponse.ResultCodeEnum.Authorised:
    case PaymentResponse.ResultCodeEnum.PartiallyAuthorised:
      return outcomeOfSuccess(payment, request);
    case PaymentResponse.ResultCodeEnum.Refused:
    case PaymentResponse.ResultCodeEnum.Error:
      return {
        kind: "declined",
        psp_reference: pspReference ?? null,
        failure: failureOfRefusal(refusalReasonCode, refusalReason),
      };
    case PaymentResponse.ResultCodeEnum.Cancelled:
      // Adyen's own risk rules cancel too; that is a decline.
      return refusalReasonCode === fraud_cancelled
        ? {
            kind: "declined",
            psp_reference: pspReference ?? null,
            failure: failureOfRefusal(refusalReasonCode, refusalReason),
          }
        : { kind: "canceled", psp_reference: pspReference ?? null, reason: "canceled" };
    case PaymentResponse.ResultCodeEnum.Pending:
    case PaymentResponse.ResultCodeEnum.Received:
    case PaymentResponse.ResultCodeEnum.RedirectShopper:
    case PaymentResponse.ResultCodeEnum.IdentifyShopper:
    case PaymentResponse.ResultCodeEnum.ChallengeShopper:
    case PaymentResponse.ResultCodeEnum.PresentToShopper:
      return pendingAs(payment, request.attempt_id);
    case PaymentResponse.ResultCodeEnum.AuthenticationFinished:
    case PaymentResponse.ResultCodeEnum.AuthenticationNotRequired:
    case PaymentResponse.ResultCodeEnum.Success:
    case undefined:
    default:
      return unknown(`Adyen reports the result ${String(resultCode)}.`);
  }
}

/**
 * While the buyer must act there is no payment yet. Its reference comes with the result; until then our own
 * takes its place.
 */
function pendingAs(payment: PaymentResponse, attempt_id: string): PspOutcome {
  const next_action = actionOf(payment);
  const psp_reference = next_action === null ? (payment.pspReference ?? attempt_id) : attempt_id;
  return { kind: "pending", psp_reference, next_action };
}

/** Without an amount in the answer the whole one was authorised: Adyen has a result of its own for a part. */
function outcomeOfSuccess(
  { resultCode, pspReference, amount }: PaymentResponse,
  { money, capture_method }: Pick<ChargeRequest, "money" | "capture_method">,
): PspOutcome {
  const isWhole = resultCode === PaymentResponse.ResultCodeEnum.Authorised;
  const requested = isWhole ? money : undefined;
  const charged = amount === undefined || amount === null ? requested : fromAdyenAmount(amount);
  if (pspReference === undefined || charged === undefined) {
    const reported = `${String(resultCode)} with ${JSON.stringify(amount)}`;
    return unknown(`Adyen reports ${reported}, which cannot be read as an amount.`);
  }
  return authorisedAs(capture_method, pspReference, charged);
}

/**
 * Adyen authorises every payment; what is captured at once is as good as charged. It does not say when an
 * authorisation expires.
 */
export function authorisedAs(capture_method: CaptureMethod, psp_reference: string, money: Money): PspOutcome {
  if (capture_method === "automatic") return { kind: "succeeded", psp_reference, charged: money };
  return {
    kind: "authorized",
    psp_reference,
    authorized: money,
    captured: { ...money, amount_minor: 0n },
    expires_at: null,
  };
}

/**
 * Keeps only the kind of step. Stored cards are charged here without the buyer (`ContAuth`), so Adyen has no
 * reason to ask for one; its result would have to be sent to /payments/details, which nothing here does.
 */
function actionOf({ action }: PaymentResponse): NextAction | null {
  if (action === undefined || action === null || !("type" in action)) return null;
  return { type: action.type, redirect_url: null, client_secret: null };
}

/**
 * Sorts what came instead of a result by what it says about the money: nothing was charged only when Adyen
 * refused the request as such (4xx), or no connection was opened. A 5xx may have been acted on.
 */
export function outcomeOfError(error: unknown): PspOutcome {
  if (error instanceof AdyenAnswerError) return outcomeOfAnswer(error);
  if (
    error instanceof Error &&
    "code" in error &&
    typeof error.code === "string" &&
    neverConnectedCodes.has(error.code)
  ) {
    return notSent("unreachable", "psp_unreachable", "No connection to the PSP could be opened.");
  }
  if (error instanceof HttpTimeoutError) return unknown("The PSP gave no answer in time.");
  // A broken connection, or an answer that the library cannot read: the request had been sent by then.
  return unknown(`The PSP gave no clear answer (${error instanceof Error ? error.name : typeof error}).`);
}

function outcomeOfAnswer({ status, error_code, headers }: AdyenAnswerError): PspOutcome {
  const retryAfter = retryAfterSeconds(headers["retry-after"]);
  // It is still processing a request with this key, or asks to repeat this one under it
  // (https://docs.adyen.com/development-resources/api-idempotency).
  if (headers["transient-error"] === "true" || error_code === "704" || status === 409) {
    return unknown("The PSP asks to repeat the request under its key.", retryAfter ?? 1);
  }
  if (status === 429)
    return notSent("rate_limited", "psp_rate_limited", "The PSP asked us to slow down.", retryAfter);
  if (status === 401 || status === 403) {
    return notSent(
      "unreachable",
      "psp_key_refused",
      "The PSP refused our API key or merchant account: check the settings of this PSP.",
    );
  }
  if (status >= 400 && status < 500 && status !== 408) {
    return notSent(
      "invalid_request",
      "invalid_request",
      `The PSP did not accept the request (Adyen's error ${error_code ?? status}).`,
    );
  }
  return unknown(`The PSP gave no clear answer (${status}).`, retryAfter);
}

function notSent(
  failureClass: FailureClass,
  code: string,
  message: string,
  retry_after_seconds?: number,
): PspOutcome {
  const failure = { class: failureClass, code, message };
  return {
    kind: "not_sent",
    failure: retry_after_seconds === undefined ? failure : { ...failure, retry_after_seconds },
  };
}

function unknown(reason: string, retry_after_seconds?: number): PspOutcome {
  return { kind: "unknown", reason, ...(retry_after_seconds === undefined ? {} : { retry_after_seconds }) };
}

function retryAfterSeconds(header: string | string[] | undefined): number | undefined {
  const seconds = Number(header);
  return Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, 3_600) : undefined;
}
