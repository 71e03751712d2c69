import { chargeId } from "./ids.ts";
import type { ChargeDecision } from "./faults.ts";
import { transportOf } from "./fault-names.ts";
import type { ChosenMethod } from "./intent-params.ts";
import type { Plan, RequestFacts } from "./plan.ts";
import type { Answer, ChargeRecord, EventType, IntentRecord, Writes } from "./records.ts";
import { serverError } from "./stripe-error.ts";

const CHARGE_KEEPS = [
  "description", "receipt_email", "shipping", "statement_descriptor", "statement_descriptor_suffix", "transfer_group",
];

/** An answer that shows the request's intent. */
export function intentAnswer(expand: readonly string[]): Answer {
  return expand.length === 0 ? { kind: "intent" } : { kind: "intent", expand };
}

/** The plan of a request that breaks down while it executes: an answer is stored, nothing is charged. */
function crashed(decision: ChargeDecision): Plan {
  const writes: Writes = decision.once_fault === undefined ? {} : { once_fault: decision.once_fault };
  return { status: 500, answer: { kind: "body", body: serverError().body() }, writes, transport: "normal" };
}

function newCharge(intent: IntentRecord, method: ChosenMethod, facts: RequestFacts): ChargeRecord {
  const kept = Object.entries(intent.extra ?? {}).filter(([key]) => CHARGE_KEEPS.includes(key));
  return {
    id: chargeId(intent.id, intent.attempts ?? 0), payment_intent: intent.id,
    created: Math.floor(facts.now_ms / 1_000), amount: intent.amount, amount_captured: 0, amount_refunded: 0,
    currency: intent.currency, status: "succeeded", captured: false, payment_method: method.id, card: method.card.name,
    metadata: intent.metadata, ...(kept.length === 0 ? {} : { extra: Object.fromEntries(kept) }),
  };
}

function paid(before: IntentRecord, method: ChosenMethod, facts: RequestFacts): Writes {
  const manual = before.capture_method === "manual";
  const charge: ChargeRecord = {
    ...newCharge(before, method, facts), captured: !manual, amount_captured: manual ? 0 : before.amount,
  };
  const intent: IntentRecord = {
    ...before, status: manual ? "requires_capture" : "succeeded", payment_method: method.id, card: method.card.name,
    attempts: (before.attempts ?? 0) + 1, latest_charge: charge.id,
    ...(manual ? {} : { amount_received: before.amount }),
  };
  delete intent.failure;
  const type = manual ? "payment_intent.amount_capturable_updated" : "payment_intent.succeeded";
  const events: EventType[] = ["charge.succeeded", type];
  if (manual) return { intent, charge, events };
  return {
    intent, charge, events,
    effect: {
      kind: "charge_succeeded", payment_intent: intent.id, charge: charge.id, amount_minor: intent.amount,
      currency: intent.currency, card: charge.card, metadata: intent.metadata, created_ms: facts.now_ms,
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
    ...before, status: "requires_payment_method", attempts: (before.attempts ?? 0) + 1, latest_charge: charge.id,
    failure: { charge: charge.id, payment_method: method.id, card: method.card.name, decline },
  };
  delete intent.payment_method;
  delete intent.card;
  return { intent, charge, events: ["charge.failed", "payment_intent.payment_failed"] };
}

function authentication(before: IntentRecord, method: ChosenMethod): Writes {
  const intent: IntentRecord = {
    ...before, status: "requires_action", payment_method: method.id, card: method.card.name,
  };
  delete intent.failure;
  return { intent, events: ["payment_intent.requires_action"] };
}

/**
 * The plan of confirming `before` (its version already counted up) with this payment method. `earlier` are events the
 * same request caused before the confirmation.
 */
export function planConfirmation(
  before: IntentRecord,
  method: ChosenMethod,
  decision: ChargeDecision,
  facts: RequestFacts,
  expand: readonly string[],
  earlier: readonly EventType[],
): Plan {
  const { outcome } = decision;
  if (outcome.kind === "crashed") return crashed(decision);
  const writes =
    outcome.kind === "paid" ? paid(before, method, facts)
    : outcome.kind === "declined" ? declined(before, method, outcome.decline, facts)
    : authentication(before, method);
  const all: Writes = {
    ...writes, events: [...earlier, ...(writes.events ?? [])],
    ...(decision.once_fault === undefined ? {} : { once_fault: decision.once_fault }),
  };
  const transport = transportOf(decision.fault);
  if (decision.fault === "500_after_charge") {
    return { status: 500, answer: { kind: "body", body: serverError().body() }, writes: all, transport };
  }
  if (outcome.kind === "declined") return { status: 402, answer: { kind: "declined" }, writes: all, transport };
  return { status: 200, answer: intentAnswer(expand), writes: all, transport };
}
