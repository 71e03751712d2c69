import { randomText } from "../ids.ts";
import { authenticated, cardNamed, type Decline } from "../cards.ts";
import type { ChargeDecision } from "../faults.ts";
import { transportOf, type Transport } from "../fault-names.ts";
import type { EffectRecord } from "../records.ts";
import { serverError } from "./adyen-error.ts";
import { notificationOf } from "./notifications.ts";
import type { PaymentParams } from "./payment-params.ts";
import type { Operation, PaymentRecord, Refusal, VersionedPayment } from "./records.ts";

/** What the request brings beside its body. */
export interface RequestFacts {
  key: string | null;
  merchant_account: string;
  has_webhook: boolean;
  base_url: string;
  now_ms: number;
}

/** What a request will write and answer; nothing has happened yet. */
export interface Plan {
  operation: Operation;
  transport: Transport;
}

/** Adyen's reasons for what the test cards do. It does not tell lost from stolen cards. */
const REFUSALS: ReadonlyMap<string, Refusal> = new Map([
  ["generic_decline", { code: "2", reason: "Refused" }],
  ["processing_error", { code: "4", reason: "Acquirer Error" }],
  ["lost_card", { code: "5", reason: "Blocked Card" }],
  ["stolen_card", { code: "5", reason: "Blocked Card" }],
  ["expired_card", { code: "6", reason: "Expired Card" }],
  ["insufficient_funds", { code: "12", reason: "Not enough balance" }],
  ["fraudulent", { code: "20", reason: "FRAUD" }],
  ["incorrect_cvc", { code: "24", reason: "CVC Declined" }],
  ["card_velocity_exceeded", { code: "28", reason: "Withdrawal amount exceeded" }],
]);
const NOT_AUTHENTICATED: Refusal = { code: "11", reason: "3D Not Authenticated" };

function refusalOf({ decline_code }: Decline): Refusal {
  const refusal = REFUSALS.get(decline_code);
  if (refusal === undefined) throw new Error(`no refusal reason stands for ${decline_code}`);
  return refusal;
}

function settled(record: PaymentRecord, refusal: Refusal | null): PaymentRecord {
  if (refusal === null) return { ...record, result_code: "Authorised" };
  return { ...record, result_code: refusal.code === "4" ? "Error" : "Refused", refusal };
}

/**
 * What the buyer brings back from the page of an authentication: whether it went well, and for which payment.
 */
export function redirectResult(pspReference: string, isAuthenticated: boolean): string {
  return `${isAuthenticated ? "authenticated" : "failed"}.${pspReference}`;
}

function renderPayment(record: PaymentRecord, baseUrl: string): unknown {
  const {
    psp_reference: pspReference,
    reference: merchantReference,
    amount,
    result_code: resultCode,
  } = record;
  const common = { pspReference, resultCode, amount, merchantReference };
  if (record.refusal !== undefined) {
    return { ...common, refusalReason: record.refusal.reason, refusalReasonCode: record.refusal.code };
  }
  if (resultCode !== "RedirectShopper") return common;
  const result = redirectResult(pspReference, true);
  const url = `${baseUrl}/adyen/authentication?redirectResult=${result}`;
  // As at Adyen, a payment that waits for the buyer has no reference in the answer yet.
  const action = { type: "redirect", paymentMethodType: "scheme", method: "GET", url };
  return { resultCode, merchantReference, action };
}

/**
 * The row that money moving leaves in the shared ledger; it is found by the caller's metadata and reference.
 */
export function effectOf(
  { psp_reference, card, metadata, reference, amount: { currency } }: PaymentRecord,
  { kind, charge, value }: { kind: EffectRecord["kind"]; charge: string; value: number },
): NonNullable<Operation["effect"]> {
  return {
    kind,
    payment_intent: psp_reference,
    charge,
    amount_minor: value,
    currency,
    card,
    metadata: { ...metadata, reference },
  };
}

function operationOf(payment: VersionedPayment, facts: RequestFacts): Operation {
  const { record } = payment;
  const isPending = record.result_code === "RedirectShopper";
  const isCharged = record.result_code === "Authorised" && record.manual_capture !== true;
  const charge = {
    kind: "charge_succeeded",
    charge: record.psp_reference,
    value: record.amount.value,
  } as const;
  return {
    key: facts.key,
    status: 200,
    answer: JSON.stringify(renderPayment(record, facts.base_url)),
    payment,
    ...(isCharged ? { effect: effectOf(record, charge) } : {}),
    ...(isPending || !facts.has_webhook ? {} : { notification: notificationOf(record, facts) }),
  };
}

/** A new reference, as Adyen gives payments and modifications. */
export function newReference(): string {
  return randomText(16).toUpperCase();
}

/** The operation as the client and the key see it when the request broke down: with whatever it did. */
export function crashed(operation: Operation): Operation {
  const error = serverError();
  return { ...operation, status: error.status, answer: JSON.stringify(error.body()) };
}

/** The operation of a request that broke down before it did anything. */
export function crashedEarly(key: string | null): Operation {
  return crashed({ key, status: 500, answer: "" });
}

/** POST /payments, once the faults have decided. */
export function planPayment(params: PaymentParams, decision: ChargeDecision, facts: RequestFacts): Plan {
  const { outcome } = decision;
  const once = decision.once_fault === undefined ? {} : { once_fault: decision.once_fault };
  // Adyen's side rolls nothing forward: the request is lost.
  if (outcome.kind === "crashed" || decision.fault === "500_rolled_forward") {
    return { operation: { ...crashedEarly(facts.key), ...once }, transport: "normal" };
  }
  const { amount, reference, card, metadata, manual_capture } = params;
  const pending: PaymentRecord = {
    psp_reference: newReference(),
    reference,
    amount,
    card: card.name,
    metadata,
    result_code: "RedirectShopper",
    ...(manual_capture ? { manual_capture } : {}),
  };
  const record =
    outcome.kind === "authentication"
      ? pending
      : settled(pending, outcome.kind === "paid" ? null : refusalOf(outcome.decline));
  const operation = { ...operationOf({ record, version: 1 }, facts), ...once };
  const isCrashed = decision.fault === "500_after_charge";
  return { operation: isCrashed ? crashed(operation) : operation, transport: transportOf(decision.fault) };
}

/** POST /payments/details: the buyer came back. */
export function planDetails(pending: VersionedPayment, isAuthenticated: boolean, facts: RequestFacts): Plan {
  const { behaviour } = authenticated(cardNamed(pending.record.card));
  const refusal = behaviour.kind === "declined" ? refusalOf(behaviour.decline) : null;
  const record = settled(pending.record, isAuthenticated ? refusal : NOT_AUTHENTICATED);
  return { operation: operationOf({ record, version: pending.version + 1 }, facts), transport: "normal" };
}
