import { createStripe } from "../../src/psp/stripe/stripe.ts";
import type { Psp } from "../../src/psp/port.ts";

export const secrets = ["whsec_old", "whsec_new"] as const;
export const openStripe = (webhook_secrets: readonly string[] = secrets): Psp =>
  createStripe({
    name: "stripe",
    secret_key: "sk_test",
    webhook_secrets,
    timeout_ms: 1_000,
    connections_max: 1,
  });
export type IntentChanges = Record<string, unknown>;
export const event = (type: string, changes: IntentChanges = {}): string =>
  JSON.stringify({
    id: "evt_1",
    object: "event",
    type,
    data: {
      object: {
        id: "pi_1",
        object: "payment_intent",
        status: "succeeded",
        amount: 1_999,
        amount_received: 1_999,
        currency: "usd",
        next_action: null,
        last_payment_error: null,
        metadata: { attempt_id: "att_1", payment_order_id: "order-1" },
        ...changes,
      },
    },
  });

/** What an event of this type, about an intent with these changes, reports about the charge. */
export function reportIn(type: string, changes: IntentChanges = {}): unknown {
  const read = openStripe().readWebhook(event(type, changes), "automatic");
  return typeof read === "string" ? read : read?.outcome;
}
