import { newId } from "./ids.ts";
import { findCharge } from "./queries.ts";
import type { ChargeRecord, EventType, IntentRecord, Metadata, Writes } from "./records.ts";
import type { Store } from "./store.ts";

/** An intent that waits for its capture, with its charge. */
export interface Authorization {
  intent: IntentRecord;
  charge: ChargeRecord;
}

/** Of an intent in `requires_capture`. */
export async function authorizationOf(store: Store, intent: IntentRecord): Promise<Authorization> {
  const charge = await findCharge(store.reads, intent.latest_charge ?? "");
  if (charge === null) throw new Error(`intent ${intent.id} waits for capture without a charge`);
  return { intent, charge };
}

/** Whether its time is up, also in the moment before the clock has ended it. */
export function isOver({ status, capture_before }: IntentRecord, nowMs: number): boolean {
  return status === "requires_capture" && capture_before !== undefined && nowMs >= capture_before * 1_000;
}

/** What a capture writes. `is_final`: what is left after it is released. */
export function captured(
  { intent: before, charge: authorised }: Authorization,
  { amount, is_final, metadata }: { amount: number; is_final: boolean; metadata: Metadata },
  nowMs: number,
): Writes {
  const total = authorised.amount_captured + amount;
  const isEnd = is_final || total === before.amount;
  const charge: ChargeRecord = {
    ...authorised,
    captured: isEnd,
    amount_captured: total,
    amount_refunded: isEnd ? before.amount - total : 0,
    balance_transaction: newId("txn", nowMs),
  };
  const intent: IntentRecord = {
    ...before,
    version: before.version + 1,
    status: isEnd ? "succeeded" : "requires_capture",
    amount_received: total,
    metadata,
  };
  return {
    intent,
    charge,
    events: isEnd ? ["charge.captured", "payment_intent.succeeded"] : ["charge.updated"],
    effect: {
      kind: "charge_captured",
      payment_intent: intent.id,
      charge: charge.id,
      amount_minor: amount,
      currency: intent.currency,
      card: charge.card,
      metadata,
      created_ms: nowMs,
    },
  };
}

/**
 * What the end of an authorisation writes: all that was not captured goes back to the buyer. Where something
 * was captured the intent has succeeded with that.
 */
export function released(
  { intent: before, charge: authorised }: Authorization,
  reason: string | undefined,
  nowMs: number,
): Writes {
  const isPartlyCaptured = authorised.amount_captured > 0;
  const charge: ChargeRecord = {
    ...authorised,
    captured: isPartlyCaptured,
    amount_refunded: before.amount - authorised.amount_captured,
  };
  const intent: IntentRecord = { ...before, version: before.version + 1 };
  if (isPartlyCaptured) {
    const events: EventType[] = ["charge.updated", "payment_intent.succeeded"];
    return { intent: { ...intent, status: "succeeded" }, charge, events };
  }
  return { intent: canceled(intent, reason, nowMs), charge, events: ["payment_intent.canceled"] };
}

/** The intent as it is once it is canceled, in the version it comes in. */
export function canceled(intent: IntentRecord, reason: string | undefined, nowMs: number): IntentRecord {
  return {
    ...intent,
    status: "canceled",
    canceled_at: Math.floor(nowMs / 1_000),
    ...(reason === undefined ? {} : { cancellation_reason: reason }),
  };
}
