import type Stripe from "stripe";
import { expect, test } from "vitest";
import { session, shareSimulator, stripeError } from "./testing.ts";

const simulator = shareSimulator({ session_seconds_min: 1 });
const now = (): number => Math.floor(Date.now() / 1_000);

test("the lines of a session are listed and expanded with their prices", async () => {
  const made = await simulator.stripe.checkout.sessions.create(session({ expand: ["line_items"] }));
  const expected = [
    { object: "item", description: "Mug", amount_total: 1_500, quantity: 1, price: { unit_amount: 1_500 } },
    {
      object: "item",
      description: "Candle",
      amount_total: 2_500,
      quantity: 2,
      price: { unit_amount: 1_250 },
    },
  ];
  expect(made.line_items?.data).toMatchObject(expected);
  expect((await simulator.stripe.checkout.sessions.listLineItems(made.id)).data).toMatchObject(expected);
});

type Line = Stripe.Checkout.SessionCreateParams.LineItem;
type Price = Partial<Stripe.Checkout.SessionCreateParams.LineItem.PriceData>;

function oneLine(changes: Price, quantity = 1): Line {
  return {
    quantity,
    price_data: { currency: "usd", unit_amount: 100, product_data: { name: "A" }, ...changes },
  };
}

function line(changes: Price): Stripe.Checkout.SessionCreateParams {
  return session({ line_items: [oneLine(changes)] });
}

test.each<[string, Stripe.Checkout.SessionCreateParams, object]>([
  ["another mode", session({ mode: "subscription" }), { param: "mode" }],
  ["no lines", session({ line_items: [] }), { param: "line_items" }],
  [
    "a success_url that is none",
    session({ success_url: "javascript:alert(1)" }),
    { code: "url_invalid", param: "success_url" },
  ],
  [
    "a cancel_url that is none",
    session({ cancel_url: "shop" }),
    { code: "url_invalid", param: "cancel_url" },
  ],
  ["an unknown currency", line({ currency: "xyz" }), { param: "currency" }],
  ["nothing to pay", line({ unit_amount: 0 }), { code: "amount_too_small" }],
  [
    "too much to pay",
    session({ line_items: [2, 1].map((quantity) => oneLine({ unit_amount: 50_000_000 }, quantity)) }),
    { code: "amount_too_large" },
  ],
  ["a fraction of the smallest unit", line({ unit_amount: 1.5 }), { code: "parameter_invalid_integer" }],
  [
    "an amount the currency does not have",
    line({ currency: "kwd", unit_amount: 1_001 }),
    { param: "amount" },
  ],
  ["a time in the past", session({ expires_at: now() - 1 }), { param: "expires_at" }],
  ["a time beyond 24 hours", session({ expires_at: now() + 86_500 }), { param: "expires_at" }],
  [
    "only other payment methods",
    session({ allowed_payment_method_types: ["link"] }),
    { type: "StripeInvalidRequestError" },
  ],
  [
    "authorisation only",
    session({ payment_intent_data: { capture_method: "manual" } }),
    { param: "capture_method" },
  ],
  ["what is not known", session({ allow_promotion_codes: true }), { code: "parameter_unknown" }],
])("a session with %s is refused", async (_, params, expected) => {
  expect(await stripeError(simulator.stripe.checkout.sessions.create(params))).toMatchObject({
    statusCode: 400,
    ...expected,
  });
});

test("lines in two currencies are refused", async () => {
  const lines = [oneLine({}), oneLine({ currency: "eur" })];
  const error = await stripeError(simulator.stripe.checkout.sessions.create(session({ line_items: lines })));
  expect(error).toMatchObject({ statusCode: 400, param: "line_items" });
});
