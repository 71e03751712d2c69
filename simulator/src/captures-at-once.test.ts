import type Stripe from "stripe";
import { expect, test } from "vitest";
import { admin, authorization, chargeOf, shareSimulator, stripeError } from "./testing.ts";

const expand = ["latest_charge"];
const simulator = shareSimulator();

/** An intent that waits for its capture. */
function authorise(
  changes: Partial<Stripe.PaymentIntentCreateParams> = {},
  several = true,
): Promise<Stripe.PaymentIntent> {
  return simulator.stripe.paymentIntents.create(authorization({ expand, ...changes }, several));
}

function part(
  id: string,
  amount: number,
  more: Stripe.PaymentIntentCaptureParams = {},
): Promise<Stripe.PaymentIntent> {
  return simulator.stripe.paymentIntents.capture(id, {
    amount_to_capture: amount,
    final_capture: false,
    expand,
    ...more,
  });
}

test("of captures at the same moment as many succeed as the authorisation allows", async () => {
  const { id } = await authorise({ metadata: { payment_order_id: "o1" } });
  const results = await Promise.allSettled(Array.from({ length: 8 }, () => part(id, 2_000)));
  expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(2);
  for (const result of results) {
    if (result.status === "rejected") expect(result.reason).toMatchObject({ code: "amount_too_large" });
  }
  expect(await simulator.stripe.paymentIntents.retrieve(id)).toMatchObject({
    amount_received: 4_000,
    amount_capturable: 1_000,
  });
  expect(await admin(simulator.url, "effects")).toMatchObject({
    count: 2,
    amount_by_currency: { usd: 4_000 },
  });
});

test("captures and a cancel at the same moment: what was captured is in the ledger, the rest is released", async () => {
  for (let round = 0; round < 5; round += 1) {
    const { id } = await authorise({ metadata: { round: String(round) } });
    await Promise.allSettled([part(id, 1_000), simulator.stripe.paymentIntents.cancel(id), part(id, 1_000)]);
    const ended = await simulator.stripe.paymentIntents.retrieve(id, { expand });
    expect(ended.status).toBe(ended.amount_received === 0 ? "canceled" : "succeeded");
    expect(chargeOf(ended).amount_refunded).toBe(5_000 - ended.amount_received);
    expect(await admin(simulator.url, `effects?round=${round}`)).toMatchObject({
      count: ended.amount_received / 1_000,
    });
  }
});

test("a capture's key gives its first answer again, although the intent went on", async () => {
  const { id } = await authorise();
  const key = { idempotencyKey: "capture-1" };
  const parameters = { amount_to_capture: 1_000, final_capture: false };
  const first = await simulator.stripe.paymentIntents.capture(id, parameters, key);
  await part(id, 500);
  const again = await simulator.stripe.paymentIntents.capture(id, parameters, key);
  expect(JSON.stringify(again)).toBe(JSON.stringify(first));
  const other = simulator.stripe.paymentIntents.capture(id, { ...parameters, amount_to_capture: 2_000 }, key);
  expect(await stripeError(other)).toMatchObject({ statusCode: 400, rawType: "idempotency_error" });
  expect(await admin(simulator.url, "effects")).toMatchObject({
    count: 2,
    amount_by_currency: { usd: 1_500 },
  });
});
