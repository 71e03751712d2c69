import type { Failure } from "../port-outcomes.ts";

type Reason = {
  readonly code: string;
  readonly text: string;
  /** Default: Adyen's text in snake_case. */
  readonly ours?: string;
  readonly is_transient?: true;
};

/**
 * Adyen's refusal reasons (https://docs.adyen.com/development-resources/refusal-reasons), as far as we have
 * words of our own for them or the same card may work in a moment. Every other one is a hard decline.
 */
const reasons: readonly Reason[] = [
  { code: "2", text: "Refused", ours: "card_declined" },
  { code: "4", text: "Acquirer Error", is_transient: true },
  { code: "9", text: "Issuer Unavailable", is_transient: true },
  { code: "12", text: "Not enough balance", ours: "insufficient_funds" },
  { code: "14", text: "Acquirer Fraud", ours: "fraud_detected" },
  { code: "20", text: "FRAUD", ours: "fraud_detected" },
  { code: "22", text: "FRAUD-CANCELLED", ours: "fraud_detected" },
  { code: "24", text: "CVC Declined", ours: "invalid_cvv" },
  { code: "31", text: "Issuer Suspected Fraud", ours: "fraud_detected" },
];
const byCode = new Map(reasons.map((reason) => [reason.code, reason]));
const byText = new Map(reasons.map((reason) => [snakeCase(reason.text), reason]));

/**
 * Why Adyen refused. An answer has the reason's number and text; a webhook has the text only, and no
 * signature over it.
 */
export function failureOfRefusal(code: string | undefined, text: string | undefined): Failure {
  const words = snakeCase(text ?? "");
  const reason = (code === undefined ? undefined : byCode.get(code)) ?? byText.get(words);
  const fallback = words === "" ? "card_declined" : words;
  return {
    class: reason?.is_transient === true ? "transient_decline" : "hard_decline",
    code: reason === undefined ? fallback : (reason.ours ?? snakeCase(reason.text)),
    message: text === undefined || text === "" ? "The card was declined." : text,
  };
}

/** At most 64 characters of it: it may be any text of an issuer's. */
function snakeCase(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "_")
    .replaceAll(/^_|_$/g, "")
    .slice(0, 64);
}
