import type { Plan } from "./plan.ts";
import { findCharge, findIntent } from "./queries.ts";
import type { IntentRecord } from "./records.ts";
import { renderIntent } from "./render.ts";
import type { Store } from "./store.ts";
import { invalidRequest, missingObject } from "./stripe-error.ts";

export const OF_A_PAGE =
  "You cannot perform this action on PaymentIntents created by Checkout. To cancel, expire the Checkout " +
  "Session instead.";

/** A 400 about the intent's state. The request did execute, so the answer is kept under its key. */
export function stateConflict(message: string, intent: IntentRecord): Plan {
  const error = invalidRequest(message, {
    code: "payment_intent_unexpected_state",
    payment_intent: renderIntent(intent),
  });
  return { status: 400, answer: { kind: "body", body: error.body() }, writes: {}, transport: "normal" };
}

/** The intent a path names; a 404 when there is none. */
export async function loadIntent(store: Store, id: string): Promise<IntentRecord> {
  const intent = await findIntent(store.reads, id);
  if (intent === null) throw missingObject("payment_intent", id, "intent", 404);
  return intent;
}

/**
 * Adds the charge that the answer shows in full where the plan itself does not change it. It is written as it
 * is: no charge moves without its intent, so the intent's version guards it too.
 */
export async function withShownCharge(store: Store, plan: Plan): Promise<Plan> {
  const { answer, writes } = plan;
  const id = writes.intent?.latest_charge;
  const isShown = answer.kind === "intent" && answer.expand?.includes("latest_charge") === true;
  if (!isShown || id === undefined || writes.charge !== undefined) return plan;
  const charge = await findCharge(store.reads, id);
  return charge === null ? plan : { ...plan, writes: { ...writes, charge } };
}
