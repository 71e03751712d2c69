import { AUTHENTICATION_FAILED } from "./cards.ts";
import { chargeId, newStem } from "./ids.ts";
import type { ChargeDecision } from "./faults.ts";
import { transportOf } from "./fault-names.ts";
import type { ChosenMethod } from "./intent-params.ts";
import type { Plan, RequestFacts } from "./plan.ts";
import type { Answer, ChargeRecord, EventType, IntentRecord, Writes } from "./records.ts";
import { serverError } from "./stripe-error.ts";

const CHARGE_KEEPS = [
  "description",
  "receipt_email",
  "shipping",
  "statement_descriptor",
  "statement_descriptor_suffix",
  "transfer_group",
];

/** An answer that shows the request's intent. */
export function intentAnswer(expand: readonly string[]): Answer {
  return expand.length === 0 ? { kind: "intent" } : { kind: "intent", expand };
}

/** A confirmation, decided. */
export interface Confirmation {
  /** The intent with its version already counted up. */
  before: IntentRecord;
  method: ChosenMethod;
  decision: ChargeDecision;
  /**
   * Until when what is authorised could be captured (Unix seconds); null: what is paid is captured at once.
   */
  capture_before: number | null;
  expand: readonly string[];
  /** Events the same request caused before the confirmation. */
  earlier: readonly EventType[];
  /** The delay of a charge that is answered with a 500 and made all the same. */
  roll_forward_seconds: number;
}

/**
 * The plan of a request that breaks down with these writes done: the client and the key learn of a 500 only.
 */
export function crashedPlan(writes: Writes): Plan {
  return { status: 500, answer: { kind: "body", body: serverError().body() }, writes, transport: "normal" };
}

/** The plan of a request that fails with a 500 and is carried out later; until then it is invisible. */
export function rolledForwardPlan(writes: Writes, seconds: number, { now_ms }: RequestFacts): Plan {
  return crashedPlan({ rolled_forward: { id: newStem(now_ms), due_at: now_ms / 1_000 + seconds, writes } });
}

function newCharge(intent: IntentRecord, method: ChosenMethod, facts: RequestFacts): ChargeRecord {
  const kept = Object.entries(intent.extra ?? {}).filter(([key]) => CHARGE_KEEPS.includes(key));
  return {
    id: chargeId(intent.id, intent.attempts ?? 0),
    payment_intent: intent.id,
    created: Math.floor(facts.now_ms / 1_000),
    amount: intent.amount,
    amount_captured: 0,
    amount_refunded: 0,
    currency: intent.currency,
    status: "succeeded",
    captured: false,
    payment_method: method.id,
    card: method.card.name,
    metadata: intent.metadata,
    ...(kept.length === 0 ? {} : { extra: Object.fromEntries(kept) }),
  };
}

function paidIntent(before: IntentRecord, method: ChosenMethod, charge: ChargeRecord): IntentRecord {
  const intent: IntentRecord = {
    ...before,
    payment_method: method.id,
    card: method.card.name,
    attempts: (before.attempts ?? 0) + 1,
    latest_charge: charge.id,
  };
  delete intent.failure;
  return intent;
}

/** The card is good for the amount, and no money moves yet. */
function authorised(
  before: IntentRecord,
  method: ChosenMethod,
  captureBefore: number,
  facts: RequestFacts,
): Writes {
  const charge: ChargeRecord = {
    ...newCharge(before, method, facts),
    capture_before: captureBefore,
    multicapture: before.request_multicapture === "if_available" ? "available" : "unavailable",
  };
  const intent: IntentRecord = {
    ...paidIntent(before, method, charge),
    status: "requires_capture",
    capture_before: captureBefore,
  };
  return { intent, charge, events: ["charge.succeeded", "payment_intent.amount_capturable_updated"] };
}

function paid(before: IntentRecord, method: ChosenMethod, facts: RequestFacts): Writes {
  const charge: ChargeRecord = {
    ...newCharge(before, method, facts),
    captured: true,
    amount_captured: before.amount,
  };
  const intent: IntentRecord = {
    ...paidIntent(before, method, charge),
    status: "succeeded",
    amount_received: before.amount,
  };
  return {
    intent,
    charge,
    events: ["charge.succeeded", "payment_intent.succeeded"],
    effect: {
      kind: "charge_succeeded",
      payment_intent: intent.id,
      charge: charge.id,
      amount_minor: intent.amount,
      currency: intent.currency,
      card: charge.card,
      metadata: intent.metadata,
      created_ms: facts.now_ms,
    },
  };
}

function declined(
  before: IntentRecord,
  method: ChosenMethod,
  decline: NonNullable<ChargeRecord["decline"]>,
  facts: RequestFacts,
): Writes {
  const charge: ChargeRecord = { ...newCharge(before, method, facts), status: "failed", decline };
  const intent: IntentRecord = {
    ...before,
    status: "requires_payment_method",
    attempts: (before.attempts ?? 0) + 1,
    latest_charge: charge.id,
    failure: { charge: charge.id, payment_method: method.id, card: method.card.name, decline },
  };
  delete intent.payment_method;
  delete intent.card;
  return { intent, charge, events: ["charge.failed", "payment_intent.payment_failed"] };
}

function authentication(before: IntentRecord, method: ChosenMethod): Writes {
  const intent: IntentRecord = {
    ...before,
    status: "requires_action",
    payment_method: method.id,
    card: method.card.name,
  };
  delete intent.failure;
  return { intent, events: ["payment_intent.requires_action"] };
}

/** The buyer failed 3-D Secure: nothing was charged, and another card may be tried. */
export function failedAuthentication(intent: IntentRecord, method: ChosenMethod): Writes {
  const after: IntentRecord = {
    ...intent,
    status: "requires_payment_method",
    failure: { payment_method: method.id, card: method.card.name, decline: AUTHENTICATION_FAILED },
  };
  delete after.payment_method;
  delete after.card;
  return { intent: after, events: ["payment_intent.payment_failed"] };
}

function writesOf(
  { before, method, capture_before }: Confirmation,
  outcome: Exclude<ChargeDecision["outcome"], { kind: "crashed" }>,
  facts: RequestFacts,
): Writes {
  switch (outcome.kind) {
    case "paid":
      return capture_before === null
        ? paid(before, method, facts)
        : authorised(before, method, capture_before, facts);
    case "declined":
      return declined(before, method, outcome.decline, facts);
    case "authentication":
      return authentication(before, method);
  }
}

/** The plan of confirming an intent with a payment method. */
export function planConfirmation(confirmation: Confirmation, facts: RequestFacts): Plan {
  const { decision, expand, earlier } = confirmation;
  const { outcome } = decision;
  const once: Writes = decision.once_fault === undefined ? {} : { once_fault: decision.once_fault };
  if (outcome.kind === "crashed") return crashedPlan(once);
  const writes = writesOf(confirmation, outcome, facts);
  const all: Writes = { ...writes, events: [...earlier, ...(writes.events ?? [])], ...once };
  if (decision.fault === "500_after_charge") return crashedPlan(all);
  if (decision.fault === "500_rolled_forward")
    return rolledForwardPlan(all, confirmation.roll_forward_seconds, facts);
  const transport = transportOf(decision.fault);
  if (outcome.kind === "declined")
    return { status: 402, answer: { kind: "declined" }, writes: all, transport };
  return { status: 200, answer: intentAnswer(expand), writes: all, transport };
}
