import { randomText } from "../ids.ts";
import { authenticated, cardNamed, type Decline } from "../cards.ts";
import type { ChargeDecision } from "../faults.ts";
import { transportOf, type Transport } from "../fault-names.ts";
import type { Metadata } from "../records.ts";
import { serverError } from "./adyen-error.ts";
import { notificationOf } from "./notifications.ts";
import type { PaymentParams } from "./payment-params.ts";
import type { Operation, PaymentRecord, Refusal } from "./records.ts";

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

/** What the buyer brings back from the page of an authentication: whether it went well, and for which payment. */
export function redirectResult(pspReference: string, isAuthenticated: boolean): string {
  return `${isAuthenticated ? "authenticated" : "failed"}.${pspReference}`;
}

function renderPayment(record: PaymentRecord, baseUrl: string): unknown {
  const { psp_reference: pspReference, reference: merchantReference, amount, result_code: resultCode } = record;
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

function operationOf(record: PaymentRecord, isNew: boolean, facts: RequestFacts): Operation {
  const isPending = record.result_code === "RedirectShopper";
  return {
    key: facts.key, status: 200, answer: JSON.stringify(renderPayment(record, facts.base_url)),
    payment: { record, is_new: isNew }, is_charged: record.result_code === "Authorised",
    ...(isPending || !facts.has_webhook ? {} : { notification: notificationOf(record, facts) }),
  };
}

function crashed(key: string | null): Operation {
  const error = serverError();
  return { key, status: error.status, answer: JSON.stringify(error.body()), is_charged: false };
}

/** POST /payments, once the faults have decided. */
export function planPayment(params: PaymentParams, decision: ChargeDecision, facts: RequestFacts): Plan {
  const { outcome } = decision;
  const once = decision.once_fault === undefined ? {} : { once_fault: decision.once_fault };
  if (outcome.kind === "crashed") return { operation: { ...crashed(facts.key), ...once }, transport: "normal" };
  const { amount, reference, card, metadata } = params;
  const pending: PaymentRecord = {
    psp_reference: randomText(16).toUpperCase(), reference, amount, card: card.name, metadata,
    result_code: "RedirectShopper",
  };
  const record = outcome.kind === "authentication" ? pending
    : settled(pending, outcome.kind === "paid" ? null : refusalOf(outcome.decline));
  const operation = { ...operationOf(record, true, facts), ...once };
  const transport = transportOf(decision.fault);
  if (decision.fault !== "500_after_charge") return { operation, transport };
  const { status, answer } = crashed(facts.key);
  return { operation: { ...operation, status, answer }, transport };
}

/** POST /payments/details: the buyer came back. */
export function planDetails(pending: PaymentRecord, isAuthenticated: boolean, facts: RequestFacts): Plan {
  const { behaviour } = authenticated(cardNamed(pending.card));
  const refusal = behaviour.kind === "declined" ? refusalOf(behaviour.decline) : null;
  const record = settled(pending, isAuthenticated ? refusal : NOT_AUTHENTICATED);
  return { operation: operationOf(record, false, facts), transport: "normal" };
}

/** What the shared ledger of effects finds a charge by: the caller's metadata and reference. */
export function effectMetadata({ metadata, reference }: PaymentRecord): Metadata {
  return { ...metadata, reference };
}
