import Stripe from "stripe";
import { expect, test } from "vitest";
import type { Psp } from "../port.ts";
import { createStripe } from "./stripe.ts";

const secrets = ["whsec_old", "whsec_new"] as const;
const open = (webhook_secrets: readonly string[] = secrets): Psp =>
  createStripe({ name: "stripe", secret_key: "sk_test", webhook_secrets, timeout_ms: 1_000, connections_max: 1 });
const sdk = new Stripe("sk_test");

type IntentChanges = Record<string, unknown>;
const event = (type: string, changes: IntentChanges = {}): string => JSON.stringify({
  id: "evt_1", object: "event", type,
  data: { object: {
    id: "pi_1", object: "payment_intent", status: "succeeded", amount: 1_999, amount_received: 1_999, currency: "usd", next_action: null,
    last_payment_error: null, metadata: { attempt_id: "att_1", payment_order_id: "order-1" }, ...changes,
  } },
});
const signature = (payload: string, secret: string, ageSeconds = 0): string =>
  sdk.webhooks.generateTestHeaderString({ payload, secret, timestamp: Math.floor(Date.now() / 1_000) - ageSeconds });
const verify = (body: string, header: string | string[] | undefined, psp = open()): unknown =>
  psp.verifyWebhook(Buffer.from(body), header === undefined ? {} : { "stripe-signature": header });

const body = event("payment_intent.succeeded");
const verified = { psp_event_id: "evt_1", type: "payment_intent.succeeded", attempt_id: "att_1", payment_order_id: "order-1" };

test.each(secrets)("a body signed with %s is genuine while both secrets are in use", (secret) => {
  expect(verify(body, signature(body, secret))).toEqual(verified);
});

test("an event without our metadata, or about another kind of object, is genuine and names no attempt", () => {
  for (const changes of [{ metadata: {} }, { metadata: undefined }, { metadata: null }]) {
    const other = event("charge.updated", changes);
    expect(verify(other, signature(other, "whsec_new"))).toEqual({ psp_event_id: "evt_1", type: "charge.updated", attempt_id: null, payment_order_id: null });
  }
});

test("what is forged, changed by a byte, stale, from the future, unsigned or no JSON is refused", () => {
  const good = signature(body, "whsec_new");
  const refused: [string, unknown][] = [
    ["another secret", verify(body, signature(body, "whsec_other"))],
    ["another body", verify(body.replace("1999", "1998"), good)],
    ["a space more", verify(`${body} `, good)],
    ["301 seconds old", verify(body, signature(body, "whsec_new", 301))],
    ["no signature", verify(body, undefined)],
    ["two headers", verify(body, [good, good])],
    ["an empty signature", verify(body, "")],
    ["nonsense", verify(body, "t=1,v1=zz")],
    ["no secrets", verify(body, good, open([]))],
    ["no JSON", verify("{", signature("{", "whsec_new"))],
    ["not text", open().verifyWebhook(Buffer.from([0xff, 0xfe]), { "stripe-signature": good })],
  ];
  expect(refused.filter(([, result]) => result !== undefined)).toEqual([]);
});

test("a message of almost five minutes is still taken", () => {
  expect(verify(body, signature(body, "whsec_new", 290))).toEqual(verified);
});

const declinedOf = (error: unknown): IntentChanges => ({ status: "requires_payment_method", amount_received: 0, last_payment_error: error });
const news = (type: string, changes: IntentChanges = {}): unknown => open().readWebhook(event(type, changes), "automatic")?.outcome;

test("each event about an intent is read as what became of the charge", () => {
  expect(open().readWebhook(body, "automatic")).toEqual({
    attempt_id: "att_1", payment_order_id: "order-1", outcome: { kind: "succeeded", psp_reference: "pi_1", charged: { amount_minor: 1_999n, currency: "USD" } },
  });
  expect(news("payment_intent.processing", { status: "processing" })).toEqual({ kind: "pending", psp_reference: "pi_1", next_action: null });
  expect(news("payment_intent.requires_action", { status: "requires_action", next_action: { type: "use_stripe_sdk", use_stripe_sdk: { secret: 1 } } }))
    .toEqual({ kind: "pending", psp_reference: "pi_1", next_action: { type: "use_stripe_sdk" } });
  expect(news("payment_intent.payment_failed", declinedOf({ code: "card_declined", decline_code: "insufficient_funds", message: "No money." })))
    .toEqual({ kind: "declined", is_open: true, psp_reference: "pi_1", failure: { class: "hard_decline", code: "insufficient_funds", message: "No money." } });
  expect(news("payment_intent.payment_failed", declinedOf({ code: "processing_error", message: "Later." }))).toMatchObject({ failure: { class: "transient_decline", code: "processing_error" } });
  expect(news("payment_intent.payment_failed", declinedOf(null))).toMatchObject({ failure: { class: "hard_decline", code: "card_declined" } });
  expect(news("payment_intent.canceled", { status: "canceled" })).toMatchObject({ kind: "declined", failure: { class: "hard_decline", code: "canceled_at_psp" } });
});

test("an intent in a state or a currency that we do not know is unknown, never a success", () => {
  expect(news("payment_intent.succeeded", { status: "brand_new" })).toMatchObject({ kind: "unknown" });
  expect(news("payment_intent.succeeded", { currency: "zzz" })).toMatchObject({ kind: "unknown" });
  expect(news("payment_intent.succeeded", { currency: "isk", amount_received: 550 })).toMatchObject({ kind: "unknown" });
});

test("what was received counts, not what was asked for", () => {
  expect(news("payment_intent.succeeded", { amount: 1_999, amount_received: 1_000 })).toMatchObject({ charged: { amount_minor: 1_000n } });
});

test("events about other things are no news of a payment", () => {
  expect(open().readWebhook(event("charge.refunded"), "automatic")).toBeNull();
});
