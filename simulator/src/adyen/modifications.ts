import { strikesFirst, transportOf, type FaultName } from "../fault-names.ts";
import { FaultStrike } from "../faults.ts";
import { invalidRequest } from "./adyen-error.ts";
import { modificationNotification, type ModificationOutcome } from "./notifications.ts";
import { amountOf, checkMerchant, objectOf, referenceOf } from "./payment-params.ts";
import { crashed, crashedEarly, effectOf, newReference, type Plan, type RequestFacts } from "./payments.ts";
import type { Amount, Operation, PaymentRecord, VersionedPayment } from "./records.ts";

/** What a request to `/captures` (with an amount) or `/cancels` (without) asks for. */
export interface ModificationParams {
  kind: "cancel" | "capture";
  amount?: Amount;
  reference: string | undefined;
}

const CANCEL_FIELDS: ReadonlySet<string> = new Set(["merchantAccount", "reference"]);
const CAPTURE_FIELDS: ReadonlySet<string> = new Set([...CANCEL_FIELDS, "amount"]);
const NOTHING_LEFT = "Insufficient balance on payment";

/** Reads a body; throws Adyen's error for whatever is wrong with it. */
export function modificationParams(
  kind: ModificationParams["kind"],
  body: unknown,
  merchantAccount: string,
): ModificationParams {
  const isCapture = kind === "capture";
  const request = objectOf(body, "ModificationRequest", isCapture ? CAPTURE_FIELDS : CANCEL_FIELDS);
  checkMerchant(request, merchantAccount);
  const reference = request["reference"] === undefined ? undefined : referenceOf(request);
  if (!isCapture) return { kind, reference };
  if (request["amount"] === undefined) throw invalidRequest("100", "No amount specified");
  return { kind, reference, amount: amountOf(request["amount"]) };
}

/** What may still be captured of a payment. */
function capturable({
  result_code,
  manual_capture,
  is_canceled,
  amount,
  captured_value = 0,
}: PaymentRecord): number {
  const isAuthorisation = result_code === "Authorised" && manual_capture === true && is_canceled !== true;
  return isAuthorisation ? amount.value - captured_value : 0;
}

/** The payment after a modification that happens. */
function after(
  { record, version }: VersionedPayment,
  { kind, amount }: ModificationOutcome,
): VersionedPayment {
  const { captured_value = 0 } = record;
  const changes: Partial<PaymentRecord> =
    kind === "cancel" ? { is_canceled: true } : { captured_value: captured_value + amount.value };
  return { record: { ...record, ...changes }, version: version + 1 };
}

function answerTo(
  { kind, amount, reference, psp_reference }: ModificationOutcome,
  payment: PaymentRecord,
  { merchant_account }: RequestFacts,
): string {
  return JSON.stringify({
    merchantAccount: merchant_account,
    paymentPspReference: payment.psp_reference,
    pspReference: psp_reference,
    reference,
    ...(kind === "capture" ? { amount } : {}),
    status: "received",
  });
}

function operationOf(
  payment: VersionedPayment,
  outcome: ModificationOutcome,
  facts: RequestFacts,
): Operation {
  const { record } = payment;
  const {
    kind,
    psp_reference: charge,
    amount: { value },
    failure,
  } = outcome;
  const isMoney = kind === "capture" && failure === null;
  return {
    key: facts.key,
    status: 201,
    answer: answerTo(outcome, record, facts),
    ...(failure === null ? { payment: after(payment, outcome) } : {}),
    ...(isMoney ? { effect: effectOf(record, { kind: "charge_captured", charge, value }) } : {}),
    ...(facts.has_webhook ? { notification: modificationNotification(record, outcome, facts) } : {}),
  };
}

function struck(operation: Operation, fault: FaultName | undefined): Plan {
  if (fault !== undefined && strikesFirst(fault)) throw new FaultStrike(fault);
  // Adyen's side rolls nothing forward: the request is lost.
  if (fault === "500_before" || fault === "500_rolled_forward")
    return { operation: crashedEarly(operation.key), transport: "normal" };
  if (fault === "500_after_charge") return { operation: crashed(operation), transport: "normal" };
  return { operation, transport: transportOf(fault) };
}

/**
 * POST /payments/{paymentPspReference}/captures and /cancels. The answer only says that the request arrived.
 * Whether it succeeds is decided here all the same: what it takes from the payment is written only if the
 * payment is still in the version that was read, so captures never exceed what was authorised.
 */
export function planModification(
  payment: VersionedPayment | null,
  { kind, amount, reference }: ModificationParams,
  fault: () => FaultName | undefined,
  facts: RequestFacts,
): Plan {
  if (payment === null) throw invalidRequest("167", "Original pspReference required for this operation");
  const { record } = payment;
  if (amount !== undefined && amount.currency !== record.amount.currency) {
    throw invalidRequest("138", "The currency is not that of the payment");
  }
  const needed = amount?.value ?? 1;
  const outcome: ModificationOutcome = {
    kind,
    psp_reference: newReference(),
    reference,
    amount: amount ?? record.amount,
    failure: needed <= capturable(record) ? null : NOTHING_LEFT,
  };
  return struck(operationOf(payment, outcome, facts), fault());
}
