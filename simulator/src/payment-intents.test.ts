import { expect, test } from "vitest";
import { admin, charge, sdk, shareSimulator, stripeError, summary, tokenCharge } from "./testing.ts";

const simulator = shareSimulator();

test("a confirmed charge succeeds, is found again, and moved money once", async () => {
  const intent = await simulator.stripe.paymentIntents.create(
    charge({ metadata: { payment_order_id: "o1" } }),
  );
  expect(intent).toMatchObject({ object: "payment_intent", status: "succeeded", amount_received: 1_999 });
  expect(intent.lastResponse.requestId).toMatch(/^req_/);
  const { lastResponse: _, ...plain } = await simulator.stripe.paymentIntents.retrieve(intent.id);
  expect(intent).toMatchObject(plain);
  expect(await admin(simulator.url, "effects?payment_order_id=o1")).toMatchObject({
    count: 1,
    amount_by_currency: { usd: 1_999 },
    data: [{ kind: "charge_succeeded", payment_intent: intent.id, amount_minor: 1_999, card: "visa" }],
  });
  expect(await admin(simulator.url, "effects?payment_order_id=o2")).toMatchObject({ count: 0, data: [] });
});

test("the first charge of an intent can be expanded and is listed by intent", async () => {
  const intent = await simulator.stripe.paymentIntents.create(charge({ expand: ["latest_charge"] }));
  expect(intent.latest_charge).toMatchObject({
    object: "charge",
    paid: true,
    captured: true,
    payment_intent: intent.id,
  });
  const other = await simulator.stripe.paymentIntents.create(charge());
  const charges = await simulator.stripe.charges.list({ payment_intent: intent.id });
  expect(charges.data.map((one) => one.payment_intent)).toEqual([intent.id]);
  expect(typeof other.latest_charge).toBe("string");
  const chargeId = typeof other.latest_charge === "string" ? other.latest_charge : "";
  expect(await simulator.stripe.charges.retrieve(chargeId)).toMatchObject({ amount: 1_999 });
  const expanded = await simulator.stripe.paymentIntents.retrieve(other.id, { expand: ["latest_charge"] });
  expect(expanded.latest_charge).toMatchObject({ id: other.latest_charge });
});

test("an intent is created, confirmed, authorised and captured in part", async () => {
  const created = await simulator.stripe.paymentIntents.create({
    amount: 5_000,
    currency: "eur",
    capture_method: "manual",
    allowed_payment_method_types: ["card"],
  });
  expect(created.status).toBe("requires_payment_method");
  const authorised = await simulator.stripe.paymentIntents.confirm(created.id, {
    payment_method: "pm_card_mastercard",
  });
  expect(authorised).toMatchObject({
    status: "requires_capture",
    amount_capturable: 5_000,
    amount_received: 0,
  });
  expect((await summary(simulator.url)).charges).toBe(0);
  const captured = await simulator.stripe.paymentIntents.capture(created.id, { amount_to_capture: 4_000 });
  expect(captured).toMatchObject({ status: "succeeded", amount_received: 4_000, amount_capturable: 0 });
  expect(await admin(simulator.url, "effects")).toMatchObject({
    count: 1,
    amount_by_currency: { eur: 4_000 },
  });
  expect((await stripeError(simulator.stripe.paymentIntents.capture(created.id))).code).toBe(
    "payment_intent_unexpected_state",
  );
});

test("a declined charge answers 402 and can be confirmed again with another card", async () => {
  const error = await stripeError(
    simulator.stripe.paymentIntents.create(
      charge({ payment_method: "pm_card_chargeDeclinedInsufficientFunds" }),
    ),
  );
  expect(error).toMatchObject({
    statusCode: 402,
    type: "StripeCardError",
    code: "card_declined",
    decline_code: "insufficient_funds",
  });
  const id = error.payment_intent?.id ?? "";
  const declined = await simulator.stripe.paymentIntents.retrieve(id);
  expect(declined).toMatchObject({ status: "requires_payment_method", payment_method: null });
  expect(declined.last_payment_error).toMatchObject({
    code: "card_declined",
    charge: declined.latest_charge,
  });
  const paid = await simulator.stripe.paymentIntents.confirm(id, { payment_method: "pm_card_visa" });
  expect(paid).toMatchObject({ status: "succeeded", last_payment_error: null });
  expect((await simulator.stripe.charges.list({ payment_intent: id })).data.map((one) => one.status)).toEqual(
    ["succeeded", "failed"],
  );
  expect((await stripeError(simulator.stripe.paymentIntents.confirm(id))).code).toBe(
    "payment_intent_unexpected_state",
  );
  expect((await summary(simulator.url)).charges).toBe(1);
});

test.each([
  ["tok_chargeDeclined", "card_declined", "generic_decline"],
  ["tok_chargeDeclinedLostCard", "card_declined", "lost_card"],
  ["tok_chargeDeclinedStolenCard", "card_declined", "stolen_card"],
  ["tok_chargeDeclinedExpiredCard", "expired_card", "expired_card"],
  ["tok_chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc"],
  ["tok_chargeDeclinedProcessingError", "processing_error", "processing_error"],
  ["tok_card_declined", "card_declined", "generic_decline"],
  ["tok_insufficient_funds", "card_declined", "insufficient_funds"],
  ["tok_expired_card", "expired_card", "expired_card"],
  ["tok_invalid_cvv", "incorrect_cvc", "incorrect_cvc"],
  ["tok_fraud_detected", "card_declined", "fraudulent"],
])("%s is declined with %s and %s and moves no money", async (token, code, declineCode) => {
  const error = await stripeError(simulator.stripe.paymentIntents.create(tokenCharge(token)));
  expect(error).toMatchObject({ statusCode: 402, code, decline_code: declineCode });
  expect((await summary(simulator.url)).charges).toBe(0);
});

test("tok_visa_4242 is paid and an unknown token is refused", async () => {
  expect((await simulator.stripe.paymentIntents.create(tokenCharge("tok_visa_4242"))).status).toBe(
    "succeeded",
  );
  const error = await stripeError(simulator.stripe.paymentIntents.create(tokenCharge("tok_nothing")));
  expect(error).toMatchObject({
    statusCode: 400,
    code: "resource_missing",
    message: "No such token: 'tok_nothing'",
  });
  const method = await stripeError(
    simulator.stripe.paymentIntents.create(charge({ payment_method: "pm_nothing" })),
  );
  expect(method).toMatchObject({ statusCode: 400, code: "resource_missing", param: "payment_method" });
});

test("a card that asks for authentication waits in requires_action and can be canceled", async () => {
  const intent = await simulator.stripe.paymentIntents.create(
    charge({ payment_method: "pm_card_authenticationRequired", return_url: "https://shop.example/back" }),
  );
  expect(intent).toMatchObject({ status: "requires_action", next_action: { type: "redirect_to_url" } });
  const canceled = await simulator.stripe.paymentIntents.cancel(intent.id, {
    cancellation_reason: "abandoned",
  });
  expect(canceled).toMatchObject({ status: "canceled", cancellation_reason: "abandoned" });
  expect((await stripeError(simulator.stripe.paymentIntents.confirm(intent.id))).statusCode).toBe(400);
  expect((await summary(simulator.url)).charges).toBe(0);
});

test("a saved card made from a test number can be charged", async () => {
  const method = await simulator.stripe.paymentMethods.create({
    type: "card",
    card: { number: "4000000000009995", exp_month: 12, exp_year: 2034, cvc: "123" },
  });
  const error = await stripeError(
    simulator.stripe.paymentIntents.create(charge({ payment_method: method.id })),
  );
  expect(error.decline_code).toBe("insufficient_funds");
});

test.each([
  [{ amount: 0 }, "parameter_invalid_integer", "amount"],
  [{ amount: 100_000_000 }, "amount_too_large", "amount"],
  [{ currency: "zzz" }, undefined, "currency"],
  [{ currency: "" }, "parameter_missing", "currency"],
  [{ amount: 1_001, currency: "kwd" }, "parameter_invalid_integer", "amount"],
  [{ customer: "cus_1" }, "resource_missing", "customer"],
  [{ application_fee_amount: 10 }, "parameter_unknown", "application_fee_amount"],
])("the invalid parameters %j are a 400 that names the field", async (changes, code, param) => {
  const error = await stripeError(simulator.stripe.paymentIntents.create(charge(changes)));
  expect({ status: error.statusCode, code: error.code, param: error.param }).toEqual({
    status: 400,
    code,
    param,
  });
});

test("automatic payment methods need a return_url unless redirects are off", async () => {
  const { allowed_payment_method_types: _, ...rest } = charge();
  expect((await stripeError(simulator.stripe.paymentIntents.create(rest))).message).toContain("return_url");
  const intent = await simulator.stripe.paymentIntents.create({
    ...rest,
    automatic_payment_methods: { enabled: true, allow_redirects: "never" },
  });
  expect(intent).toMatchObject({ status: "succeeded", automatic_payment_methods: { enabled: true } });
});

test("intents are listed newest first, page by page, and found by metadata", async () => {
  const ids: string[] = [];
  for (const index of [1, 2, 3, 4, 5]) {
    const metadata = { attempt_id: `a'${index}`, checkout_id: "c1" };
    ids.unshift((await simulator.stripe.paymentIntents.create(charge({ metadata }))).id);
  }
  const listed: string[] = [];
  for await (const intent of simulator.stripe.paymentIntents.list({ limit: 2 })) listed.push(intent.id);
  expect(listed).toEqual(ids);
  const before = await simulator.stripe.paymentIntents.list({ limit: 2, ending_before: ids[3] ?? "" });
  expect(before.data.map(({ id }) => id)).toEqual(ids.slice(1, 3));
  const now = Math.floor(Date.now() / 1_000);
  expect(
    (await simulator.stripe.paymentIntents.list({ created: { gte: now - 60, lte: now } })).data,
  ).toHaveLength(5);
  expect((await simulator.stripe.paymentIntents.list({ created: { gt: now + 60 } })).data).toHaveLength(0);
  const one = await simulator.stripe.paymentIntents.search({
    query: "metadata['attempt_id']:'a\\'2' AND metadata['checkout_id']:'c1'",
  });
  expect(one.data.map(({ id }) => id)).toEqual([ids[3]]);
  expect(
    (await simulator.stripe.paymentIntents.search({ query: "metadata['checkout_id']:'c1'" })).data,
  ).toHaveLength(5);
  expect((await stripeError(simulator.stripe.paymentIntents.search({ query: "amount>5" }))).statusCode).toBe(
    400,
  );
});

test("events tell the story of a request and show the objects as they were", async () => {
  const { id } = await simulator.stripe.paymentIntents.create(charge());
  await simulator.stripe.paymentIntents.create({ amount: 5, currency: "usd" });
  const { data } = await simulator.stripe.events.list({ limit: 4 });
  expect(data.map(({ type }) => type)).toEqual([
    "payment_intent.created",
    "payment_intent.succeeded",
    "charge.succeeded",
    "payment_intent.created",
  ]);
  expect(data[1]?.data.object).toMatchObject({ id, status: "succeeded" });
  expect(data[3]?.data.object).toMatchObject({ id, status: "requires_payment_method", latest_charge: null });
  expect(
    (await simulator.stripe.events.list({ limit: 2, starting_after: data[1]?.id ?? "" })).data,
  ).toMatchObject(data.slice(2));
  const succeeded = await simulator.stripe.events.list({ type: "payment_intent.succeeded" });
  expect(succeeded.data).toHaveLength(1);
  expect(await simulator.stripe.events.retrieve(data[1]?.id ?? "")).toMatchObject({
    type: "payment_intent.succeeded",
  });
});

test("a wrong key is a 401 and an unknown object or route a 404", async () => {
  const wrong = sdk(simulator.url);
  expect(
    (await stripeError(wrong.paymentIntents.list({}, { apiKey: "sk_test_wrong_key_here" }))).statusCode,
  ).toBe(401);
  expect(await stripeError(simulator.stripe.paymentIntents.retrieve("pi_none"))).toMatchObject({
    statusCode: 404,
    code: "resource_missing",
  });
  expect((await stripeError(simulator.stripe.customers.list())).statusCode).toBe(404);
});

test.each(["%00", "pi_%00", "%", "%zz", "%ff"])(
  "no object is called %s, and no request fails over it",
  async (id) => {
    const headers = { Authorization: "Bearer sk_test_simulator" };
    const paths = [
      "payment_intents",
      "charges",
      "events",
      "payment_methods",
      "checkout/sessions",
      "webhook_endpoints",
    ];
    const gets = paths.map((path) => [path, id].join("/"));
    const posts = ["confirm", "capture", "cancel"].map((action) => `payment_intents/${id}/${action}`);
    const answers = await Promise.all([
      ...gets.map((path) => fetch(`${simulator.url}/v1/${path}`, { headers })),
      ...[...posts, `checkout/sessions/${id}/expire`].map((path) =>
        fetch(`${simulator.url}/v1/${path}`, { headers, method: "POST" }),
      ),
    ]);
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 400));
    expect((await fetch(`${simulator.url}/_simulator/effects?charge=%00`)).status).toBe(400);
    expect((await fetch(`${simulator.url}/c/pay/${id}`)).status).toBe(404);
  },
);

test("with a success rate of zero a charge fails with the transient decline", async () => {
  await admin(simulator.url, "faults", { success_rate: 0 });
  const error = await stripeError(
    simulator.stripe.paymentIntents.create(charge({ metadata: { payment_order_id: "o9" } })),
  );
  expect(error.code).toBe("processing_error");
  await admin(simulator.url, "faults", { success_rate: 1 });
  const retried = await simulator.stripe.paymentIntents.create(
    charge({ metadata: { payment_order_id: "o9" } }),
  );
  expect(retried.status).toBe("succeeded");
});
