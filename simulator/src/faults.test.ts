import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { admin, sdk, shareSimulator, stripeError, summary, tokenCharge } from "./testing.ts";

const simulator = shareSimulator({}, 1_000);

interface Seen {
  status: number;
  type: string;
}

async function attempt(token: string, order: string, idempotencyKey: string): Promise<Seen> {
  try {
    const intent = await simulator.stripe.paymentIntents.create(
      tokenCharge(token, { payment_order_id: order }),
      { idempotencyKey },
    );
    return { status: intent.lastResponse.statusCode, type: intent.status };
  } catch (error) {
    const { statusCode = 0, type } = await stripeError(Promise.reject(error));
    return { status: statusCode, type };
  }
}

const CONNECTION = { status: 0, type: "StripeConnectionError" };
const FAILED = { status: 500, type: "StripeAPIError" };
const PAID = { status: 200, type: "succeeded" };

test.each([
  // token, what the client sees, charges afterwards, what the same key gives then
  ["tok_fault_timeout_before_charge", CONNECTION, 0, CONNECTION],
  ["tok_fault_timeout_after_charge", CONNECTION, 1, PAID],
  ["tok_fault_disconnect_before_charge", CONNECTION, 0, CONNECTION],
  // The SDK repeats a request by itself, once, when its connection broke: it gets the stored answer.
  ["tok_fault_disconnect_after_charge", PAID, 1, PAID],
  ["tok_fault_500_before", FAILED, 0, FAILED],
  ["tok_fault_500_after_charge", FAILED, 1, FAILED],
  ["tok_fault_500_rolled_forward", FAILED, 0, FAILED],
  ["tok_fault_once_500", FAILED, 0, FAILED],
  [
    "tok_fault_429",
    { status: 429, type: "StripeRateLimitError" },
    0,
    { status: 429, type: "StripeRateLimitError" },
  ],
  ["tok_fault_html", { status: 502, type: "StripeAPIError" }, 0, { status: 502, type: "StripeAPIError" }],
  ["tok_fault_truncated", { status: 200, type: "StripeAPIError" }, 1, PAID],
])(
  "%s: the client sees %j, charges %i, and the same key then gives %j",
  async (token, seen, charges, then) => {
    const key = randomUUID();
    const first = await attempt(token, "o1", key);
    expect(first.type).toBe(seen.type);
    // The SDK does not always give the status of an answer it cannot read.
    if (token !== "tok_fault_truncated" && token !== "tok_fault_html") expect(first.status).toBe(seen.status);
    expect((await summary(simulator.url)).charges).toBe(charges);
    expect((await attempt(token, "o1", key)).type).toBe(then.type);
    expect((await summary(simulator.url)).charges).toBe(charges);
  },
);

test("a charge whose answer was lost is found by its metadata", async () => {
  await attempt("tok_fault_500_after_charge", "o7", randomUUID());
  const { data } = await simulator.stripe.paymentIntents.search({
    query: "metadata['payment_order_id']:'o7'",
  });
  expect(data.map(({ status }) => status)).toEqual(["succeeded"]);
  await attempt("tok_fault_500_before", "o8", randomUUID());
  expect(
    (await simulator.stripe.paymentIntents.search({ query: "metadata['payment_order_id']:'o8'" })).data,
  ).toEqual([]);
});

function plainPost(token: string): Promise<Response> {
  return fetch(`${simulator.url}/v1/payment_intents`, {
    method: "POST",
    headers: { Authorization: "Bearer sk_test_simulator" },
    body: new URLSearchParams({
      amount: "5",
      currency: "usd",
      confirm: "true",
      "payment_method_types[]": "card",
      "payment_method_data[type]": "card",
      "payment_method_data[card][token]": token,
    }),
  });
}

test("a broken connection leaves the charge behind and a truncated answer is no JSON", async () => {
  await expect(plainPost("tok_fault_disconnect_after_charge")).rejects.toThrow("fetch failed");
  await expect((await plainPost("tok_fault_truncated")).json()).rejects.toThrow(SyntaxError);
  expect((await summary(simulator.url)).charges).toBe(2);
});

test("429 says when to come back and 502 is HTML", async () => {
  const error = await stripeError(simulator.stripe.paymentIntents.create(tokenCharge("tok_fault_429")));
  expect(error.headers).toMatchObject({ "retry-after": "1" });
  const response = await plainPost("tok_fault_html");
  expect(response.status).toBe(502);
  expect(response.headers.get("content-type")).toBe("text/html");
});

test("a 'once' fault strikes the first attempt of each order only, across restarts", async () => {
  expect(await attempt("tok_fault_once_processing_error", "o1", randomUUID())).toEqual({
    status: 402,
    type: "StripeCardError",
  });
  expect((await attempt("tok_fault_once_500", "o1", randomUUID())).status).toBe(500);
  await simulator.restart();
  expect(await attempt("tok_fault_once_processing_error", "o1", randomUUID())).toEqual(PAID);
  expect(await attempt("tok_fault_once_500", "o1", randomUUID())).toEqual(PAID);
  expect((await attempt("tok_fault_once_500", "o2", randomUUID())).status).toBe(500);
});

test("a slow charge is made and answered late", async () => {
  const patient = sdk(simulator.url, 6_000);
  const started = performance.now();
  const intent = await patient.paymentIntents.create(tokenCharge("tok_fault_slow"));
  expect(intent.status).toBe("succeeded");
  expect(performance.now() - started).toBeGreaterThan(2_900);
});

test("the next charges can be made to fail, a given number of times", async () => {
  const plan = {
    next: [
      { fault: "timeout_after_charge", count: 1 },
      { fault: "429", count: 2 },
    ],
  };
  expect(await admin(simulator.url, "faults", plan)).toMatchObject(plan);
  expect(await attempt("tok_visa", "o1", randomUUID())).toEqual(CONNECTION);
  expect((await attempt("tok_visa", "o2", randomUUID())).status).toBe(429);
  expect((await attempt("tok_visa", "o3", randomUUID())).status).toBe(429);
  expect(await attempt("tok_visa", "o4", randomUUID())).toEqual(PAID);
  expect((await summary(simulator.url)).charges).toBe(2);
});

test("latency delays answers, and a reset forgets data and faults", async () => {
  await admin(simulator.url, "faults", { latency_ms: 300 });
  const started = performance.now();
  await attempt("tok_visa", "o1", randomUUID());
  expect(performance.now() - started).toBeGreaterThan(290);
  await admin(simulator.url, "reset", {});
  expect(await admin(simulator.url, "faults")).toMatchObject({ latency_ms: 0, success_rate: 1, next: [] });
  expect((await summary(simulator.url)).charges).toBe(0);
  expect((await simulator.stripe.paymentIntents.list()).data).toEqual([]);
});

test("an unknown fault or setting is refused with its reason", async () => {
  expect(await admin(simulator.url, "faults", { next: [{ fault: "nonsense" }] })).toMatchObject({
    error: { message: expect.stringContaining("fault must be one of") },
  });
  expect(await admin(simulator.url, "faults", { sucess_rate: 1 })).toMatchObject({
    error: { message: "unknown setting sucess_rate" },
  });
});

test("an order charged twice is reported", async () => {
  await attempt("tok_visa", "o1", randomUUID());
  expect((await summary(simulator.url)).duplicates).toBe(0);
  await attempt("tok_visa", "o1", randomUUID());
  expect(await admin(simulator.url, "effects/summary")).toEqual({
    charges: 2,
    amount_by_currency: { usd: 3_998 },
    duplicate_orders: ["o1"],
  });
});
