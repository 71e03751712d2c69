import type { EventRecord, EventType, IntentRecord, RequestRow } from "./records.ts";

/** The request's part of an event id. */
export function stemOfEvent(id: string): string {
  return id.slice(4, 27);
}

/** An intent as it was created, told from what its confirmation in the same request made of it. */
function beforeConfirmation(intent: IntentRecord): IntentRecord {
  const created: IntentRecord = { ...intent, status: "requires_payment_method" };
  delete created.payment_method;
  delete created.card;
  delete created.attempts;
  delete created.latest_charge;
  delete created.amount_received;
  delete created.capture_before;
  delete created.failure;
  return created;
}

function objectOf(type: EventType, row: RequestRow): EventRecord["object"] {
  const { intent, charge, session } = row.record;
  if (type.startsWith("checkout.session.") && session !== undefined) return { session };
  if (type.startsWith("charge.") && charge !== undefined) return { charge };
  if (intent === undefined)
    throw new Error(`the event ${type} of request ${row.request_id} has lost its object`);
  return {
    intent: type === "payment_intent.created" && row.types.length > 1 ? beforeConfirmation(intent) : intent,
  };
}

/** The events a request caused, in the order they happened. */
export function eventsOf(row: RequestRow): EventRecord[] {
  return row.types.map((type, index) => ({
    id: `evt_${row.id}${index}`,
    type,
    created: row.record.created,
    pending_webhooks: row.record.pending_webhooks?.[index] ?? 0,
    request_id: row.request_id,
    idempotency_key: row.key,
    object: objectOf(type, row),
  }));
}
