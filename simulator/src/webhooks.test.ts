import { afterEach, beforeEach, expect, onTestFinished, test } from "vitest";
import Stripe from "stripe";
import { receiver, type Received } from "./testing-receiver.ts";
import { admin, charge, openSimulator, stripeError, until, type TestSimulator } from "./testing.ts";
import { backoffSeconds } from "./webhook-sender.ts";

const SECRET = "whsec_c2ltdWxhdG9yLXRlc3Qtc2VjcmV0";
const EVENTS = ["payment_intent.succeeded"] as const;
let simulator: TestSimulator;
let hooks: Awaited<ReturnType<typeof receiver>>;

beforeEach(async () => {
  hooks = await receiver();
});
afterEach(() => hooks.close());

async function start(webhook: { url: string; secret: string } | null = null): Promise<void> {
  simulator = await openSimulator({ webhook });
  onTestFinished(() => simulator.close());
}

function verified({ body, signature }: Received, secret = SECRET): Stripe.Event {
  return Stripe.webhooks.constructEvent(body, signature, secret);
}

test("the endpoint from the environment gets signed events the SDK accepts, of its types only", async () => {
  await start({ url: hooks.url, secret: SECRET });
  const { id } = await simulator.stripe.paymentIntents.create(charge());
  await stripeError(
    simulator.stripe.paymentIntents.create(charge({ payment_method: "pm_card_chargeDeclined" })),
  );
  await simulator.stripe.paymentIntents.create(charge({ capture_method: "manual" }));
  await until(() => hooks.received.length === 3);
  const events = hooks.received.map((one) => verified(one));
  expect(events.map(({ type }) => type).toSorted()).toEqual([
    "payment_intent.amount_capturable_updated",
    "payment_intent.payment_failed",
    "payment_intent.succeeded",
  ]);
  const succeeded = events.find(({ type }) => type === "payment_intent.succeeded");
  expect(succeeded?.data.object).toMatchObject({ id, status: "succeeded", amount_received: 1_999 });
  const first = hooks.received[0] ?? { body: "", signature: "" };
  expect(() => verified({ ...first, body: `${first.body} ` })).toThrow(
    Stripe.errors.StripeSignatureVerificationError,
  );
  expect(() => verified(first, "whsec_other")).toThrow(Stripe.errors.StripeSignatureVerificationError);
});

test("endpoints are created with their secret, listed without it, and deleted", async () => {
  await start();
  const endpoint = await simulator.stripe.webhookEndpoints.create({
    url: hooks.url,
    enabled_events: [...EVENTS],
  });
  expect(endpoint.secret).toMatch(/^whsec_/);
  const listed = await simulator.stripe.webhookEndpoints.list();
  expect(listed.data).toMatchObject([{ id: endpoint.id, url: hooks.url, enabled_events: EVENTS }]);
  expect(listed.data[0]?.secret).toBeUndefined();
  await simulator.stripe.paymentIntents.create(charge());
  await until(() => hooks.received.length === 1);
  expect(verified(hooks.received[0] ?? { body: "", signature: "" }, endpoint.secret).type).toBe(
    "payment_intent.succeeded",
  );
  expect((await simulator.stripe.webhookEndpoints.del(endpoint.id)).deleted).toBe(true);
  await simulator.stripe.paymentIntents.create(charge());
  expect((await stripeError(simulator.stripe.webhookEndpoints.retrieve(endpoint.id))).statusCode).toBe(404);
  await new Promise((resolve) => setTimeout(resolve, 150));
  expect(hooks.received).toHaveLength(1);
});

test("a failed delivery comes again after a second with the same event id", async () => {
  await hooks.close();
  hooks = await receiver([500]);
  await start({ url: hooks.url, secret: SECRET });
  await simulator.stripe.paymentIntents.create(charge());
  await until(() => hooks.received.length === 1);
  const failedAt = performance.now();
  await until(() => hooks.received.length === 2);
  expect(performance.now() - failedAt).toBeGreaterThan(800);
  const [first, second] = hooks.received.map((one) => verified(one).id);
  expect(second).toBe(first);
});

test("the waiting time doubles up to an hour", () => {
  expect([1, 2, 3, 4, 12, 13, 80].map(backoffSeconds)).toEqual([1, 2, 4, 8, 2_048, 3_600, 3_600]);
});

test("deliveries that could not be made are taken up after a restart", async () => {
  await start({ url: "http://127.0.0.1:9/nobody", secret: SECRET });
  const { id } = await simulator.stripe.paymentIntents.create(charge());
  await new Promise((resolve) => setTimeout(resolve, 100));
  await simulator.restart({ webhook: { url: hooks.url, secret: SECRET } });
  await until(() => hooks.received.length === 1);
  expect(verified(hooks.received[0] ?? { body: "", signature: "" }).data.object).toMatchObject({ id });
});

test("webhooks can be lost, doubled, delayed and reordered", async () => {
  await start({ url: hooks.url, secret: SECRET });
  await admin(simulator.url, "faults", { webhooks: { drop_rate: 1 } });
  await simulator.stripe.paymentIntents.create(charge());
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(hooks.received).toHaveLength(0);
  await admin(simulator.url, "faults", { webhooks: { drop_rate: 0, duplicate_rate: 1 } });
  await simulator.stripe.paymentIntents.create(charge());
  await until(() => hooks.received.length === 2);
  expect(hooks.received[0]?.body).toBe(hooks.received[1]?.body);
  await admin(simulator.url, "faults", { webhooks: { duplicate_rate: 0, delay_ms: 400 } });
  const started = performance.now();
  await simulator.stripe.paymentIntents.create(charge());
  await until(() => hooks.received.length === 3);
  expect(performance.now() - started).toBeGreaterThan(390);
  await admin(simulator.url, "faults", { webhooks: { delay_ms: 0, reorder: true } });
  for (let index = 0; index < 12; index += 1) await simulator.stripe.paymentIntents.create(charge());
  await until(() => hooks.received.length === 15);
  const ids = hooks.received.slice(3).map((one) => verified(one).id);
  expect(ids).not.toEqual(ids.toSorted());
});

test("a burst reaches the endpoint once per event", async () => {
  await start({ url: hooks.url, secret: SECRET });
  await Promise.all(Array.from({ length: 300 }, () => simulator.stripe.paymentIntents.create(charge())));
  await until(() => hooks.received.length >= 300);
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(new Set(hooks.received.map((one) => verified(one).id)).size).toBe(300);
  expect(hooks.received).toHaveLength(300);
});
