import type Stripe from "stripe";
import { expect, test } from "vitest";
import { admin, authorization, charge, chargeOf, shareSimulator, stripeError, summary } from "./testing.ts";

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

/** The types of the events since the authorisation, oldest first. */
async function eventTypes(): Promise<string[]> {
  return (await simulator.stripe.events.list({ limit: 100 })).data
    .map(({ type }) => type)
    .toReversed()
    .slice(3);
}

test("an authorisation moves no money and says how long and how often it may be captured", async () => {
  const several = await authorise();
  expect(several).toMatchObject({
    status: "requires_capture",
    amount_capturable: 5_000,
    amount_received: 0,
    payment_method_options: { card: { request_multicapture: "if_available" } },
  });
  const { captured, amount_captured, created, payment_method_details: details } = chargeOf(several);
  expect({ captured, amount_captured }).toEqual({ captured: false, amount_captured: 0 });
  expect(details?.card).toMatchObject({
    capture_before: created + 604_800,
    multicapture: { status: "available" },
  });
  const once = await authorise({}, false);
  expect(chargeOf(once).payment_method_details?.card?.multicapture).toEqual({ status: "unavailable" });
  const never = await authorise({ payment_method_options: { card: { request_multicapture: "never" } } });
  expect(chargeOf(never).payment_method_details?.card?.multicapture).toEqual({ status: "unavailable" });
  expect(await summary(simulator.url)).toEqual({ charges: 0, duplicates: 0 });
});

test("what is captured at once has no capture window", async () => {
  const paid = await simulator.stripe.paymentIntents.create(
    charge({ expand, payment_method_options: { card: { request_multicapture: "if_available" } } }),
  );
  expect(chargeOf(paid).payment_method_details?.card).not.toHaveProperty("capture_before");
});

test("multicapture can be asked for at the confirmation, and in known words only", async () => {
  const made = await simulator.stripe.paymentIntents.create({
    amount: 5_000,
    currency: "usd",
    capture_method: "manual",
    allowed_payment_method_types: ["card"],
  });
  const authorised = await simulator.stripe.paymentIntents.confirm(made.id, {
    payment_method: "pm_card_visa",
    payment_method_options: { card: { request_multicapture: "if_available" } },
    expand,
  });
  expect(chargeOf(authorised).payment_method_details?.card?.multicapture).toEqual({ status: "available" });
  const error = await stripeError(
    authorise({ payment_method_options: { card: { request_multicapture: "always" } } }),
  );
  expect(error).toMatchObject({
    statusCode: 400,
    param: "payment_method_options[card][request_multicapture]",
  });
});

test("an authorisation is captured in parts until nothing is left, each part one movement of money", async () => {
  const { id } = await authorise({ metadata: { payment_order_id: "o1" } });
  const first = await part(id, 1_000, { metadata: { shipment: "1" } });
  expect(first).toMatchObject({
    status: "requires_capture",
    amount_received: 1_000,
    amount_capturable: 4_000,
  });
  expect(chargeOf(first)).toMatchObject({ amount_captured: 1_000, amount_refunded: 0, captured: false });
  expect(await part(id, 1_500)).toMatchObject({ amount_received: 2_500, amount_capturable: 2_500 });
  const last = await part(id, 2_500);
  expect(last).toMatchObject({ status: "succeeded", amount_received: 5_000, amount_capturable: 0 });
  expect(chargeOf(last)).toMatchObject({ amount_captured: 5_000, amount_refunded: 0, captured: true });
  expect(await eventTypes()).toEqual([
    "charge.updated",
    "charge.updated",
    "charge.captured",
    "payment_intent.succeeded",
  ]);
  const metadata = { payment_order_id: "o1", shipment: "1" };
  const row = { kind: "charge_captured", payment_intent: id, charge: chargeOf(last).id, metadata };
  expect(await admin(simulator.url, "effects?payment_order_id=o1")).toMatchObject({
    count: 3,
    amount_by_currency: { usd: 5_000 },
    data: [
      { ...row, amount_minor: 2_500 },
      { ...row, amount_minor: 1_500 },
      { ...row, amount_minor: 1_000 },
    ],
  });
  expect(await summary(simulator.url)).toEqual({ charges: 3, duplicates: 0 });
});

test("an order that is authorised and captured twice is reported, one that is captured in parts is not", async () => {
  for (const order of ["o1", "o1", "o2"]) {
    const { id } = await authorise({ metadata: { payment_order_id: order } });
    await part(id, 1_000);
    await part(id, 1_000);
  }
  expect(await admin(simulator.url, "effects/summary")).toMatchObject({
    charges: 6,
    duplicate_orders: ["o1"],
  });
});

test("a final capture of less releases the rest", async () => {
  const { id } = await authorise();
  await part(id, 1_000);
  const final = await part(id, 500, { final_capture: true });
  expect(final).toMatchObject({ status: "succeeded", amount_received: 1_500, amount_capturable: 0 });
  expect(chargeOf(final)).toMatchObject({
    amount_captured: 1_500,
    amount_refunded: 3_500,
    refunded: false,
    captured: true,
  });
  expect(await eventTypes()).toEqual(["charge.updated", "charge.captured", "payment_intent.succeeded"]);
  const error = await stripeError(part(id, 1));
  expect(error).toMatchObject({
    statusCode: 400,
    code: "payment_intent_unexpected_state",
    payment_intent: { id, status: "succeeded" },
  });
  expect((await summary(simulator.url)).charges).toBe(2);
});

test("a capture takes all that is left when no amount is given, and is final when nothing else is said", async () => {
  const { id } = await authorise();
  await part(id, 1_200);
  expect(await simulator.stripe.paymentIntents.capture(id)).toMatchObject({
    status: "succeeded",
    amount_received: 5_000,
  });
  expect(await admin(simulator.url, "effects")).toMatchObject({
    data: [{ amount_minor: 3_800 }, { amount_minor: 1_200 }],
  });
});

test("more than what is left cannot be captured", async () => {
  const { id } = await authorise();
  await part(id, 4_000);
  expect(await stripeError(part(id, 1_001))).toMatchObject({
    statusCode: 400,
    code: "amount_too_large",
    param: "amount_to_capture",
    message: expect.stringContaining("1000"),
  });
  expect(await stripeError(part(id, 0))).toMatchObject({ statusCode: 400, param: "amount_to_capture" });
  expect(await simulator.stripe.paymentIntents.retrieve(id)).toMatchObject({
    amount_received: 4_000,
    amount_capturable: 1_000,
  });
});

test("without multicapture a capture is final", async () => {
  const { id } = await authorise({}, false);
  expect(await stripeError(part(id, 1_000))).toMatchObject({
    statusCode: 400,
    type: "StripeInvalidRequestError",
    param: "final_capture",
  });
  expect(await part(id, 1_000, { final_capture: true })).toMatchObject({
    status: "succeeded",
    amount_received: 1_000,
  });
});

test("a cancel before any capture releases everything and moves no money", async () => {
  const { id } = await authorise();
  const canceled = await simulator.stripe.paymentIntents.cancel(id, {
    cancellation_reason: "abandoned",
    expand,
  });
  expect(canceled).toMatchObject({
    status: "canceled",
    cancellation_reason: "abandoned",
    amount_capturable: 0,
  });
  expect(chargeOf(canceled)).toMatchObject({
    amount_captured: 0,
    amount_refunded: 5_000,
    refunded: true,
    captured: false,
  });
  expect(await eventTypes()).toEqual(["payment_intent.canceled"]);
  const { paymentIntents } = simulator.stripe;
  for (const again of [() => paymentIntents.cancel(id), () => paymentIntents.capture(id)]) {
    expect(await stripeError(again())).toMatchObject({
      statusCode: 400,
      code: "payment_intent_unexpected_state",
      payment_intent: { id, status: "canceled" },
    });
  }
  expect((await summary(simulator.url)).charges).toBe(0);
});

test("a cancel after a partial capture releases the rest, and the intent has succeeded with its part", async () => {
  const { id } = await authorise();
  await part(id, 2_000);
  const ended = await simulator.stripe.paymentIntents.cancel(id, {
    cancellation_reason: "requested_by_customer",
    expand,
  });
  expect(ended).toMatchObject({
    status: "succeeded",
    amount_received: 2_000,
    amount_capturable: 0,
    canceled_at: null,
    cancellation_reason: null,
  });
  expect(chargeOf(ended)).toMatchObject({ amount_captured: 2_000, amount_refunded: 3_000, captured: true });
  expect(await eventTypes()).toEqual(["charge.updated", "charge.updated", "payment_intent.succeeded"]);
  expect(await stripeError(simulator.stripe.paymentIntents.cancel(id))).toMatchObject({
    code: "payment_intent_unexpected_state",
  });
  expect(await admin(simulator.url, "effects")).toMatchObject({
    count: 1,
    amount_by_currency: { usd: 2_000 },
  });
});

test("the charge is shown in full by create, retrieve, capture and cancel, also one that failed", async () => {
  const { id } = await authorise();
  const chargeId = chargeOf(await simulator.stripe.paymentIntents.retrieve(id, { expand })).id;
  expect(chargeOf(await part(id, 1_000)).id).toBe(chargeId);
  expect(chargeOf(await simulator.stripe.paymentIntents.cancel(id, { expand })).id).toBe(chargeId);
  expect((await simulator.stripe.charges.retrieve(chargeId)).payment_method_details?.card).toHaveProperty(
    "capture_before",
  );
  const declined = await stripeError(authorise({ payment_method: "pm_card_chargeDeclined" }));
  const key = { idempotencyKey: "cancel-1" };
  const canceled = await simulator.stripe.paymentIntents.cancel(
    declined.payment_intent?.id ?? "",
    { expand },
    key,
  );
  expect(chargeOf(canceled)).toMatchObject({ status: "failed", failure_code: "card_declined" });
  const replayed = await simulator.stripe.paymentIntents.cancel(canceled.id, { expand }, key);
  expect(JSON.stringify(replayed)).toBe(JSON.stringify(canceled));
});
