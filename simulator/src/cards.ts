import { FAULT_NAMES, type FaultName } from "./fault-names.ts";

/** Why an issuer refuses, in Stripe's codes. */
export interface Decline {
  code: string;
  decline_code: string;
  message: string;
  /** Refused by fraud rules before the issuer was asked. */
  blocked?: boolean;
}

export type CardBehaviour =
  | { kind: "paid" }
  | { kind: "declined"; decline: Decline }
  /** Asks for 3-D Secure; `refusal` is why the charge fails all the same once it is passed. */
  | { kind: "authentication"; refusal?: Decline }
  | { kind: "fault"; fault: FaultName };

/** A test card: what its charge does, and what is shown of it. */
export interface Card {
  name: string;
  number: string;
  brand: string;
  behaviour: CardBehaviour;
}

function decline(code: string, declineCode: string, message: string): Decline {
  return { code, decline_code: declineCode, message };
}

const GENERIC = decline("card_declined", "generic_decline", "Your card was declined.");
const FRAUDULENT = decline("card_declined", "fraudulent", "Your card was declined.");
const BLOCKED: Decline = { ...FRAUDULENT, blocked: true };
const INSUFFICIENT = decline("card_declined", "insufficient_funds", "Your card has insufficient funds.");
const LOST = decline("card_declined", "lost_card", "Your card was declined.");
const STOLEN = decline("card_declined", "stolen_card", "Your card was declined.");
const EXPIRED = decline("expired_card", "expired_card", "Your card has expired.");
const CVC = decline("incorrect_cvc", "incorrect_cvc", "Your card's security code is incorrect.");
const VELOCITY = decline(
  "card_declined",
  "card_velocity_exceeded",
  "Your card was declined for making repeated attempts too frequently or exceeding its amount limit.",
);

/** The transient decline: a later attempt with the same card can succeed. */
export const PROCESSING_ERROR = decline(
  "processing_error",
  "processing_error",
  "An error occurred while processing your card. Try again in a little bit.",
);

/** The buyer did not pass 3-D Secure. Shown with no decline code: no issuer declined anything. */
export const AUTHENTICATION_FAILED = decline(
  "payment_intent_authentication_failure",
  "authentication_required",
  "The provided PaymentMethod has failed authentication. You can provide payment_method_data or a new " +
    "PaymentMethod to attempt to fulfill this PaymentIntent again.",
);

const PAID: CardBehaviour = { kind: "paid" };
const AUTHENTICATION: CardBehaviour = { kind: "authentication" };

function declined(reason: Decline): CardBehaviour {
  return { kind: "declined", decline: reason };
}

function brandOf(number: string): string {
  if (number.startsWith("4")) return "visa";
  if (/^(5[1-5]|2[2-7])/.test(number)) return "mastercard";
  if (/^3[47]/.test(number)) return "amex";
  if (/^(60|64|65)/.test(number)) return "discover";
  if (/^3[0689]/.test(number)) return "diners";
  if (number.startsWith("35")) return "jcb";
  return "unionpay";
}

/** Name in `pm_card_<name>` and `tok_<name>`, number, behaviour. */
const TABLE: readonly (readonly [string, string, CardBehaviour])[] = [
  ["visa", "4242424242424242", PAID],
  ["visa_debit", "4000056655665556", PAID],
  ["mastercard", "5555555555554444", PAID],
  ["mastercard_debit", "5200828282828210", PAID],
  ["amex", "378282246310005", PAID],
  ["discover", "6011111111111117", PAID],
  ["diners", "3056930009020004", PAID],
  ["jcb", "3566002020360505", PAID],
  ["unionpay", "6200000000000005", PAID],
  ["chargeDeclined", "4000000000000002", declined(GENERIC)],
  ["visa_chargeDeclined", "4000000000000002", declined(GENERIC)],
  ["chargeDeclinedInsufficientFunds", "4000000000009995", declined(INSUFFICIENT)],
  ["visa_chargeDeclinedInsufficientFunds", "4000000000009995", declined(INSUFFICIENT)],
  ["chargeDeclinedLostCard", "4000000000009987", declined(LOST)],
  ["visa_chargeDeclinedLostCard", "4000000000009987", declined(LOST)],
  ["chargeDeclinedStolenCard", "4000000000009979", declined(STOLEN)],
  ["visa_chargeDeclinedStolenCard", "4000000000009979", declined(STOLEN)],
  ["chargeDeclinedExpiredCard", "4000000000000069", declined(EXPIRED)],
  ["chargeDeclinedIncorrectCvc", "4000000000000127", declined(CVC)],
  ["chargeDeclinedProcessingError", "4000000000000119", declined(PROCESSING_ERROR)],
  ["chargeDeclinedVelocityLimitExceeded", "4000000000006975", declined(VELOCITY)],
  ["visa_chargeDeclinedVelocityLimitExceeded", "4000000000006975", declined(VELOCITY)],
  ["chargeDeclinedFraudulent", "4100000000000019", declined(BLOCKED)],
  ["radarBlock", "4100000000000019", declined(BLOCKED)],
  ["riskLevelHighest", "4000000000004954", declined(BLOCKED)],
  ["riskLevelElevated", "4000000000009235", PAID],
  ["chargeCustomerFail", "4000000000000341", declined(GENERIC)],
  ["authenticationRequired", "4000002760003184", AUTHENTICATION],
  ["authenticationRequiredOnSetup", "4000002500003155", AUTHENTICATION],
  [
    "authenticationRequiredChargeDeclinedInsufficientFunds",
    "4000008260003178",
    { kind: "authentication", refusal: INSUFFICIENT },
  ],
  ["threeDSecure2Required", "4000000000003220", AUTHENTICATION],
  ["threeDSecureRequired", "4000000000003063", AUTHENTICATION],
  ["bypassPending", "4000000000000077", PAID],
  ["createDispute", "4000000000000259", PAID],
  ["createDisputeProductNotReceived", "4000000000002685", PAID],
  ["createDisputeInquiry", "4000000000001976", PAID],
  ["createIssuerFraudRecord", "4000000000005423", PAID],
  ["pendingRefund", "4000000000007726", PAID],
  ["refundFail", "4000000000005126", PAID],
  ["visa_4242", "4242424242424242", PAID],
  ["card_declined", "4000000000000002", declined(GENERIC)],
  ["insufficient_funds", "4000000000009995", declined(INSUFFICIENT)],
  ["expired_card", "4000000000000069", declined(EXPIRED)],
  ["invalid_cvv", "4000000000000127", declined(CVC)],
  ["fraud_detected", "4100000000000019", declined(FRAUDULENT)],
];

function faultCard(fault: FaultName): readonly [string, Card] {
  const name = `fault_${fault}`;
  return [name, { name, number: "4242424242424242", brand: "visa", behaviour: { kind: "fault", fault } }];
}

const CARDS: ReadonlyMap<string, Card> = new Map([
  ...TABLE.map(
    ([name, number, behaviour]) => [name, { name, number, brand: brandOf(number), behaviour }] as const,
  ),
  ...FAULT_NAMES.map(faultCard),
]);

const BY_NUMBER: ReadonlyMap<string, Card> = new Map(
  [...CARDS.values()].toReversed().map((card) => [card.number, card]),
);

/** The card a stored name stands for; throws when the name was never one. */
export function cardNamed(name: string): Card {
  const card = CARDS.get(name);
  if (card === undefined) throw new Error(`unknown test card ${name}`);
  return card;
}

/** The card behind a Stripe test token such as `tok_visa`, or undefined. */
export function cardOfToken(token: string): Card | undefined {
  return token.startsWith("tok_") ? CARDS.get(token.slice(4)) : undefined;
}

/** The card behind a Stripe test payment method such as `pm_card_visa`, or undefined. */
export function cardOfTestMethod(id: string): Card | undefined {
  return id.startsWith("pm_card_") ? CARDS.get(id.slice(8)) : undefined;
}

/** The card with this number, or undefined. */
export function cardOfNumber(number: string): Card | undefined {
  return BY_NUMBER.get(number);
}

/** The card as it is charged once its holder passed 3-D Secure. */
export function authenticated(card: Card): Card {
  const { behaviour } = card;
  if (behaviour.kind !== "authentication") return card;
  return { ...card, behaviour: behaviour.refusal === undefined ? PAID : declined(behaviour.refusal) };
}

/** The public part of a card. */
export interface CardDetails {
  brand: string;
  last4: string;
  exp_month: number;
  exp_year: number;
  country: string;
  funding: string;
}

/** What may be shown of a card. */
export function cardDetails(card: Card): CardDetails {
  const funding = card.name.endsWith("_debit") ? "debit" : "credit";
  return {
    brand: card.brand,
    last4: card.number.slice(-4),
    exp_month: 12,
    exp_year: 2034,
    country: "US",
    funding,
  };
}
