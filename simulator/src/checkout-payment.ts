import { AUTHENTICATION_FAILED, authenticated, cardNamed, type Card, type Decline } from "./cards.ts";
import { failedAuthentication, planConfirmation } from "./charging.ts";
import { expiry } from "./checkout-sessions.ts";
import type { ChargeDecision, Faults } from "./faults.ts";
import { newId, randomText } from "./ids.ts";
import type { ChosenMethod } from "./intent-params.ts";
import type { Plan } from "./plan.ts";
import { findIntent, findSession, onceFaultCount } from "./queries.ts";
import type { IntentRecord, SessionRecord, Writes } from "./records.ts";
import type { Store } from "./store.ts";

export interface PaymentParts {
  store: Store;
  faults: Faults;
}

/** What became of a buyer's step on the page. */
export type StepResult =
  | { kind: "paid"; redirect: boolean }
  /** Paid before this step: it changed nothing. */
  | { kind: "already_paid" }
  | { kind: "declined"; decline: Decline }
  /** 3-D Secure comes next. */
  | { kind: "authenticate" }
  | { kind: "expired" }
  /** The authentication this step answers is not the one that is asked for now. */
  | { kind: "outdated" }
  | { kind: "crashed" };

/** A step: what it writes (null: nothing), what became of it, and the session after it. */
export interface Step {
  plan: Plan | null;
  result: StepResult;
  session: SessionRecord;
}

/** Whether the page may no longer take a card, also in the moment before the clock has closed the session. */
export function isExpired(session: SessionRecord, nowMs: number): boolean {
  return session.status === "expired" || (session.status === "open" && nowMs >= session.expires_at * 1_000);
}

export function quietPlan(writes: Writes): Plan {
  return { status: 200, answer: { kind: "body", body: null }, writes, transport: "normal" };
}

async function closed(store: Store, session: SessionRecord, nowMs: number): Promise<Step | null> {
  if (session.status === "complete") return { plan: null, result: { kind: "already_paid" }, session };
  if (!isExpired(session, nowMs)) return null;
  const plan = session.status === "open" ? quietPlan(await expiry(store, session, nowMs)) : null;
  return { plan, result: { kind: "expired" }, session };
}

/** The session's intent as its next change finds it, or a new one: it is made when the buyer first pays. */
async function intentOf(store: Store, session: SessionRecord, nowMs: number): Promise<IntentRecord> {
  const { payment } = session;
  if (session.payment_intent === undefined) {
    return {
      id: newId("pi", nowMs),
      version: 1,
      created: Math.floor(nowMs / 1_000),
      secret: randomText(25),
      amount: session.amount_total,
      currency: session.currency,
      status: "requires_payment_method",
      capture_method: "automatic_async",
      confirmation_method: "automatic",
      metadata: payment.metadata,
      methods: session.methods,
      checkout_session: session.id,
      ...(payment.extra === undefined ? {} : { extra: payment.extra }),
    };
  }
  const intent = await findIntent(store.reads, session.payment_intent);
  if (intent === null) throw new Error(`session ${session.id} has lost its intent`);
  return { ...intent, version: intent.version + 1 };
}

function sessionAfter(
  session: SessionRecord,
  intent: IntentRecord,
  customerName: string | undefined,
): SessionRecord {
  const isPaid = intent.status === "succeeded";
  if (!isPaid && session.payment_intent === intent.id) return session;
  return {
    ...session,
    version: session.version + 1,
    payment_intent: intent.id,
    ...(isPaid ? { status: "complete", payment_status: "paid" } : {}),
    ...(customerName === undefined ? {} : { customer_name: customerName }),
  };
}

function resultOf(plan: Plan, decision: ChargeDecision): StepResult {
  const { outcome, fault } = decision;
  if (plan.status === 500) return { kind: "crashed" };
  switch (outcome.kind) {
    case "paid":
      return { kind: "paid", redirect: fault !== "no_redirect" };
    case "declined":
      return { kind: "declined", decline: outcome.decline };
    case "authentication":
      return { kind: "authenticate" };
    case "crashed":
      return { kind: "crashed" };
  }
}

function confirmed(
  session: SessionRecord,
  before: IntentRecord,
  method: ChosenMethod,
  decision: ChargeDecision,
  nowMs: number,
  customerName?: string,
): Step {
  const earlier = before.version === 1 ? (["payment_intent.created"] as const) : [];
  const facts = { request_id: "", idempotency_key: null, now_ms: nowMs };
  const plan = planConfirmation(
    { before, method, decision, capture_before: null, expand: [], earlier, roll_forward_seconds: 0 },
    facts,
  );
  const { intent, events = [] } = plan.writes;
  const result = resultOf(plan, decision);
  const quiet = (writes: Writes): Plan => ({ ...quietPlan(writes), transport: plan.transport });
  if (intent === undefined) return { plan: quiet(plan.writes), result, session };
  const after = sessionAfter(session, intent, customerName);
  const writes: Writes = {
    ...plan.writes,
    ...(after === session ? {} : { session: after }),
    events: after.status === "complete" ? [...events, "checkout.session.completed"] : events,
  };
  return { plan: quiet(writes), result, session: after };
}

async function load(store: Store, id: string): Promise<SessionRecord> {
  const session = await findSession(store.reads, id);
  if (session === null) throw new Error(`there is no session ${id}`);
  return session;
}

/**
 * The buyer pays with a card. However often, in however many tabs: each try moves the one intent of the
 * session by one version, so of two at once one is planned again, finds the session paid, and charges
 * nothing.
 */
export async function payStep(
  { store, faults }: PaymentParts,
  id: string,
  { card, name }: { card: Card; name: string },
  nowMs: number,
): Promise<Step> {
  const session = await load(store, id);
  const end = await closed(store, session, nowMs);
  if (end !== null) return end;
  const before = await intentOf(store, session, nowMs);
  const decision: ChargeDecision =
    card.behaviour.kind === "authentication"
      ? { outcome: card.behaviour }
      : await faults.decide(card, before.metadata, (key) => onceFaultCount(store.reads, key), "page");
  return confirmed(session, before, { id: newId("pm", nowMs), card }, decision, nowMs, name);
}

/** The buyer passes or fails 3-D Secure for this payment method; passing charges the card. */
export async function authenticateStep(
  { store, faults }: PaymentParts,
  id: string,
  { payment_method, passed }: { payment_method: string; passed: boolean },
  nowMs: number,
): Promise<Step> {
  const session = await load(store, id);
  const end = await closed(store, session, nowMs);
  if (end !== null) return end;
  const before = await intentOf(store, session, nowMs);
  if (
    before.status !== "requires_action" ||
    before.payment_method !== payment_method ||
    before.card === undefined
  ) {
    return { plan: null, result: { kind: "outdated" }, session };
  }
  const method: ChosenMethod = { id: payment_method, card: cardNamed(before.card) };
  if (!passed) {
    const plan = quietPlan(failedAuthentication(before, method));
    return { plan, result: { kind: "declined", decline: AUTHENTICATION_FAILED }, session };
  }
  const decision = await faults.decide(
    authenticated(method.card),
    before.metadata,
    (key) => onceFaultCount(store.reads, key),
    "page",
  );
  return confirmed(session, before, method, decision, nowMs);
}
