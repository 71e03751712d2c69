import { once } from "node:events";
import type Stripe from "stripe";
import { expect, test } from "vitest";
import { receiver } from "./testing-receiver.ts";
import {
  admin,
  authorization,
  chargeOf,
  createTestDatabase,
  sdk,
  shareSimulator,
  spawnForTest,
  stripeError,
  until,
} from "./testing.ts";

const expand = ["latest_charge"];
// Counted from the beginning of the second: at least one whole second remains.
const simulator = shareSimulator({ authorization_seconds: 2 });

async function ended(id: string, client = simulator.stripe): Promise<Stripe.PaymentIntent> {
  const now = (): Promise<Stripe.PaymentIntent> => client.paymentIntents.retrieve(id, { expand });
  await until(async () => (await now()).status !== "requires_capture");
  return now();
}

function partOf(id: string, amount: number): Promise<Stripe.PaymentIntent> {
  return simulator.stripe.paymentIntents.capture(id, { amount_to_capture: amount, final_capture: false });
}

test("an authorisation that nobody captures ends by itself at its time, and its webhook is sent", async () => {
  const hooks = await receiver();
  await simulator.stripe.webhookEndpoints.create({
    url: hooks.url,
    enabled_events: ["payment_intent.canceled"],
  });
  const { id } = await simulator.stripe.paymentIntents.create(authorization());
  const intent = await ended(id);
  expect(intent).toMatchObject({
    status: "canceled",
    cancellation_reason: "automatic",
    amount_capturable: 0,
  });
  const charge = chargeOf(intent);
  expect(charge).toMatchObject({ amount_refunded: 5_000, captured: false });
  expect(intent.canceled_at).toBeGreaterThanOrEqual(
    charge.payment_method_details?.card?.capture_before ?? Infinity,
  );
  await until(() => hooks.received.length > 0);
  const event: Stripe.Event = JSON.parse(hooks.received[0]?.body ?? "");
  expect(event).toMatchObject({
    type: "payment_intent.canceled",
    data: { object: { id, status: "canceled" } },
    request: { id: null, idempotency_key: null },
  });
  expect(await admin(simulator.url, "effects")).toMatchObject({ count: 0 });
  await hooks.close();
});

test("one that was captured in part has succeeded with that part, one that was captured or canceled is left alone", async () => {
  const { id: paid } = await simulator.stripe.paymentIntents.create(authorization());
  const { id: canceled } = await simulator.stripe.paymentIntents.create(authorization());
  const { id } = await simulator.stripe.paymentIntents.create(authorization());
  await partOf(id, 2_000);
  await simulator.stripe.paymentIntents.capture(paid);
  await simulator.stripe.paymentIntents.cancel(canceled);
  const before = (await simulator.stripe.events.list({ limit: 100 })).data;
  const intent = await ended(id);
  expect(intent).toMatchObject({ status: "succeeded", amount_received: 2_000, cancellation_reason: null });
  expect(chargeOf(intent)).toMatchObject({ amount_captured: 2_000, amount_refunded: 3_000, captured: true });
  const after = (await simulator.stripe.events.list({ limit: 100 })).data;
  expect(after.slice(0, -before.length)).toMatchObject([
    { type: "payment_intent.succeeded", request: { id: null }, data: { object: { id } } },
    { type: "charge.updated", request: { id: null }, data: { object: { payment_intent: id } } },
  ]);
  expect(await admin(simulator.url, "effects")).toMatchObject({
    count: 2,
    amount_by_currency: { usd: 7_000 },
  });
});

test("captures while the time runs out: each is in the ledger or refused, and what was not captured is released", async () => {
  const intents = await Promise.all(
    Array.from({ length: 6 }, () => simulator.stripe.paymentIntents.create(authorization())),
  );
  await Promise.all(
    intents.map(async ({ id }) => {
      let captured = 0;
      for (;;) {
        try {
          await partOf(id, 1);
          captured += 1;
        } catch (error) {
          expect(await stripeError(Promise.reject(error))).toMatchObject({
            code: "payment_intent_unexpected_state",
          });
          break;
        }
      }
      const intent = await simulator.stripe.paymentIntents.retrieve(id, { expand });
      expect(intent).toMatchObject({ status: "succeeded", amount_received: captured });
      expect(chargeOf(intent)).toMatchObject({
        amount_captured: captured,
        amount_refunded: 5_000 - captured,
      });
      const amount_by_currency = { usd: captured };
      expect(await admin(simulator.url, `effects?payment_intent=${id}`)).toMatchObject({
        amount_by_currency,
      });
    }),
  );
});

test("after kill -9 an authorisation whose time came meanwhile is over for whoever asks first", async () => {
  const other = await createTestDatabase();
  const env = { SIMULATOR_AUTHORIZATION_SECONDS: "2" };
  const first = await spawnForTest(other.url, env);
  const made = await Promise.all([1, 2].map(() => sdk(first.url).paymentIntents.create(authorization())));
  const ids = made.map(({ id }) => id);
  await sdk(first.url).paymentIntents.capture(ids[1] ?? "", { amount_to_capture: 700, final_capture: false });
  const killed = once(first.process, "exit");
  first.process.kill("SIGKILL");
  await killed;
  await new Promise((resolve) => setTimeout(resolve, 2_100));
  const second = await spawnForTest(other.url, env);
  try {
    const again = sdk(second.url);
    const error = await stripeError(again.paymentIntents.capture(ids[0] ?? ""));
    expect(error).toMatchObject({
      code: "payment_intent_unexpected_state",
      payment_intent: { status: "canceled" },
    });
    expect(await ended(ids[0] ?? "", again)).toMatchObject({
      status: "canceled",
      cancellation_reason: "automatic",
    });
    expect(await ended(ids[1] ?? "", again)).toMatchObject({ status: "succeeded", amount_received: 700 });
    const endings = (await again.events.list({ limit: 3 })).data.map(({ type }) => type).toSorted();
    expect(endings).toEqual(["charge.updated", "payment_intent.canceled", "payment_intent.succeeded"]);
    expect(await admin(second.url, "effects")).toMatchObject({ count: 1, amount_by_currency: { usd: 700 } });
  } finally {
    const exited = once(second.process, "exit");
    second.process.kill("SIGTERM");
    await exited;
    await other.drop();
  }
});
