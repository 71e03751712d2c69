import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { admin, charge, sdk, shareSimulator, startForTest, stripeError, tokenCharge } from "./testing.ts";

const simulator = shareSimulator();

async function chargesOf(order: string): Promise<unknown> {
  const body = await admin(simulator.url, `effects?payment_order_id=${order}`);
  return typeof body === "object" && body !== null && "count" in body ? body.count : undefined;
}

test("the same key and parameters give the same answer and one charge", async () => {
  const idempotencyKey = randomUUID();
  const params = charge({ metadata: { payment_order_id: idempotencyKey } });
  const first = await simulator.stripe.paymentIntents.create(params, { idempotencyKey });
  const again = await simulator.stripe.paymentIntents.create(params, { idempotencyKey });
  expect(again.id).toBe(first.id);
  expect(JSON.stringify(again)).toBe(JSON.stringify(first));
  expect(again.lastResponse.headers["idempotent-replayed"]).toBe("true");
  expect(again.lastResponse.headers["original-request"]).toBe(first.lastResponse.requestId);
  expect(first.lastResponse.headers["idempotent-replayed"]).toBeUndefined();
  expect(await chargesOf(idempotencyKey)).toBe(1);
});

test("the order of the parameters does not matter, their values and the endpoint do", async () => {
  const idempotencyKey = randomUUID();
  const intent = await simulator.stripe.paymentIntents.create(
    { amount: 10, currency: "usd" },
    { idempotencyKey },
  );
  const swapped = await simulator.stripe.paymentIntents.create(
    { currency: "usd", amount: 10 },
    { idempotencyKey },
  );
  expect(swapped.id).toBe(intent.id);
  const other = await stripeError(
    simulator.stripe.paymentIntents.create({ amount: 11, currency: "usd" }, { idempotencyKey }),
  );
  expect(other).toMatchObject({ statusCode: 400, type: "StripeIdempotencyError" });
  const endpoint = await stripeError(
    simulator.stripe.paymentIntents.cancel(intent.id, {}, { idempotencyKey }),
  );
  expect(endpoint.type).toBe("StripeIdempotencyError");
});

test("a decline is replayed, also after a restart of the simulator", async () => {
  const idempotencyKey = randomUUID();
  const params = charge({ payment_method: "pm_card_chargeDeclined" });
  const first = await stripeError(simulator.stripe.paymentIntents.create(params, { idempotencyKey }));
  await simulator.restart();
  const again = await stripeError(simulator.stripe.paymentIntents.create(params, { idempotencyKey }));
  expect(again).toMatchObject({
    statusCode: 402,
    code: "card_declined",
    payment_intent: { id: first.payment_intent?.id },
  });
  expect(again.headers).toMatchObject({ "idempotent-replayed": "true" });
});

test("two hundred parallel requests with one key charge once", async () => {
  const idempotencyKey = randomUUID();
  const params = charge({ metadata: { payment_order_id: idempotencyKey } });
  const results = await Promise.allSettled(
    Array.from({ length: 200 }, () => simulator.stripe.paymentIntents.create(params, { idempotencyKey })),
  );
  const ids = new Set(results.flatMap((result) => (result.status === "fulfilled" ? [result.value.id] : [])));
  expect(ids.size).toBe(1);
  const refused = results.flatMap((result) => (result.status === "rejected" ? [result.reason] : []));
  for (const error of refused)
    expect(error).toMatchObject({ statusCode: 409, code: "idempotency_key_in_use" });
  expect(await chargesOf(idempotencyKey)).toBe(1);
});

test("two simulators on one database charge one key once", async () => {
  const second = await startForTest(simulator.database_url);
  const idempotencyKey = randomUUID();
  const params = charge({ metadata: { payment_order_id: idempotencyKey } });
  const intents = await Promise.all(
    [simulator.stripe, sdk(second.url)].map((client) =>
      client.paymentIntents.create(params, { idempotencyKey }),
    ),
  );
  await second.close();
  expect(intents[0]?.id).toBe(intents[1]?.id);
  expect(await chargesOf(idempotencyKey)).toBe(1);
});

test("parallel confirmations of one intent charge it once", async () => {
  const order = randomUUID();
  const intent = await simulator.stripe.paymentIntents.create({
    amount: 700,
    currency: "usd",
    payment_method: "pm_card_visa",
    allowed_payment_method_types: ["card"],
    metadata: { payment_order_id: order },
  });
  const results = await Promise.allSettled(
    Array.from({ length: 30 }, () => simulator.stripe.paymentIntents.confirm(intent.id)),
  );
  expect(results.filter((result) => result.status === "fulfilled")).toHaveLength(1);
  expect(await chargesOf(order)).toBe(1);
});

test("a refused confirmation is replayed, a request that was invalid is not", async () => {
  const intent = await simulator.stripe.paymentIntents.create(charge());
  const idempotencyKey = randomUUID();
  const first = await stripeError(simulator.stripe.paymentIntents.cancel(intent.id, {}, { idempotencyKey }));
  const again = await stripeError(simulator.stripe.paymentIntents.cancel(intent.id, {}, { idempotencyKey }));
  expect(first.code).toBe("payment_intent_unexpected_state");
  expect(again.headers).toMatchObject({ "idempotent-replayed": "true" });
  const invalid = randomUUID();
  await stripeError(
    simulator.stripe.paymentIntents.create(tokenCharge("tok_unknown"), { idempotencyKey: invalid }),
  );
  const repaired = await simulator.stripe.paymentIntents.create(tokenCharge("tok_visa"), {
    idempotencyKey: invalid,
  });
  expect(repaired.status).toBe("succeeded");
});

test("a confirmation's replay shows the answer of that time", async () => {
  const intent = await simulator.stripe.paymentIntents.create({
    amount: 900,
    currency: "usd",
    capture_method: "manual",
    payment_method: "pm_card_visa",
    allowed_payment_method_types: ["card"],
  });
  const idempotencyKey = randomUUID();
  await simulator.stripe.paymentIntents.confirm(intent.id, {}, { idempotencyKey });
  await simulator.stripe.paymentIntents.capture(intent.id);
  const replayed = await simulator.stripe.paymentIntents.confirm(intent.id, {}, { idempotencyKey });
  expect(replayed.status).toBe("requires_capture");
  expect((await simulator.stripe.paymentIntents.retrieve(intent.id)).status).toBe("succeeded");
});
