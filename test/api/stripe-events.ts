import { createHmac } from "node:crypto";
import type { Reply, TestStack } from "../support/stack.ts";
import { postBytes } from "./requests.ts";

export const nowSeconds = (): number => Math.floor(Date.now() / 1_000);

/** Stripe's header (https://docs.stripe.com/webhooks#verify-manually), by hand. */
export function stripeSignature(body: string, secret: string, time = nowSeconds()): string {
  return `t=${time},v1=${createHmac("sha256", secret).update(`${time}.${body}`).digest("hex")}`;
}

export type EventChanges = { id?: string; type?: string; intent?: Record<string, unknown> };
let eventCount = 0;

/** An event about an attempt, as Stripe writes it. */
export function stripeEvent(
  attempt: { attempt_id: string; payment_order_id: string; amount: number },
  changes: EventChanges = {},
): string {
  eventCount += 1;
  return JSON.stringify({
    id: changes.id ?? `evt_test_${process.pid}_${eventCount}`,
    object: "event",
    api_version: "2026-01-01",
    created: nowSeconds(),
    livemode: false,
    type: changes.type ?? "payment_intent.succeeded",
    data: {
      object: {
        id: `pi_test_${attempt.attempt_id}`,
        object: "payment_intent",
        status: "succeeded",
        amount: attempt.amount,
        amount_received: attempt.amount,
        currency: "usd",
        next_action: null,
        last_payment_error: null,
        metadata: { attempt_id: attempt.attempt_id, payment_order_id: attempt.payment_order_id },
        ...changes.intent,
      },
    },
  });
}

/** Sends bytes to Stripe's route; a test that needs no key says so. */
export const sendStripe = (
  stack: TestStack,
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string>,
): Promise<Reply> =>
  postBytes(stack, "/api/v1/webhooks/stripe", body, {
    authorization: "",
    "content-type": "application/json",
    ...headers,
  });
