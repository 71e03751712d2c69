import { randomUUID } from "node:crypto";
import type Stripe from "stripe";
import { beforeEach, expect, test } from "vitest";
import { MODIFICATION_FAULT_NAMES } from "./fault-names.ts";
import { admin, authorization, sdk, shareSimulator, stripeError, summary } from "./testing.ts";

const simulator = shareSimulator();
/** Does not wait for an answer that is late or never comes. */
let hasty: Stripe;
beforeEach(() => {
  hasty = sdk(simulator.url, 500);
});

function strikeNext(fault: string, count = 1): Promise<unknown> {
  return admin(simulator.url, "faults", { next_modifications: [{ fault, count }] });
}

/** What a client sees: the intent's state, or the type of the error. */
async function seen(call: Promise<Stripe.PaymentIntent>): Promise<string> {
  try {
    return (await call).status;
  } catch (error) {
    return (await stripeError(Promise.reject(error))).type;
  }
}

const CONNECTION = "StripeConnectionError";
const FAILED = "StripeAPIError";

const TABLE = [
  // fault, what the client sees, whether it happened, what the same key gives then
  ["timeout_before_charge", CONNECTION, false, null],
  ["timeout_after_charge", CONNECTION, true, "stored"],
  // The SDK repeats a request by itself, once, when its connection broke.
  ["disconnect_before_charge", "repeated", true, "stored"],
  ["disconnect_after_charge", "repeated", true, "stored"],
  ["500_before", FAILED, false, FAILED],
  ["500_after_charge", FAILED, true, FAILED],
  // Three minutes later; a test of its own looks that far.
  ["500_rolled_forward", FAILED, false, FAILED],
  ["429", "StripeRateLimitError", false, null],
  ["html", FAILED, false, null],
  ["truncated", FAILED, true, "stored"],
  ["slow", CONNECTION, true, "stored"],
] as const;

test("every fault of captures and cancels is in the table", () => {
  expect(TABLE.map(([fault]) => fault).toSorted()).toEqual(MODIFICATION_FAULT_NAMES.toSorted());
});

test.each(TABLE)(
  "%s strikes a capture: the client sees %s, captured: %s, the same key: %s",
  async (fault, sees, happened, then) => {
    const { id } = await simulator.stripe.paymentIntents.create(authorization());
    const key = { idempotencyKey: randomUUID() };
    const capture = (client = simulator.stripe): Promise<string> =>
      seen(client.paymentIntents.capture(id, { amount_to_capture: 1_000, final_capture: false }, key));
    await strikeNext(fault);
    expect(await capture(sees === CONNECTION ? hasty : simulator.stripe)).toBe(
      sees === "repeated" ? "requires_capture" : sees,
    );
    expect((await summary(simulator.url)).charges).toBe(happened ? 1 : 0);
    expect((await simulator.stripe.paymentIntents.retrieve(id)).amount_received).toBe(happened ? 1_000 : 0);
    // Without a stored answer the same key executes now.
    expect(await capture()).toBe(then === FAILED ? FAILED : "requires_capture");
    expect((await summary(simulator.url)).charges).toBe(happened || then === null ? 1 : 0);
  },
);

test.each(TABLE)(
  "%s strikes a cancel: the client sees %s, canceled: %s, the same key: %s",
  async (fault, sees, happened, then) => {
    const { id } = await simulator.stripe.paymentIntents.create(authorization());
    const key = { idempotencyKey: randomUUID() };
    const cancel = (client = simulator.stripe): Promise<string> =>
      seen(client.paymentIntents.cancel(id, {}, key));
    const status = async (): Promise<string> => (await simulator.stripe.paymentIntents.retrieve(id)).status;
    await strikeNext(fault);
    expect(await cancel(sees === CONNECTION ? hasty : simulator.stripe)).toBe(
      sees === "repeated" ? "canceled" : sees,
    );
    expect(await status()).toBe(happened ? "canceled" : "requires_capture");
    expect(await cancel()).toBe(then === FAILED ? FAILED : "canceled");
    expect(await status()).toBe(happened || then === null ? "canceled" : "requires_capture");
    expect((await summary(simulator.url)).charges).toBe(0);
  },
);

test("a capture whose connection breaks before it began is not made", async () => {
  const { id } = await simulator.stripe.paymentIntents.create(authorization());
  await strikeNext("disconnect_before_charge");
  const options = { method: "POST", headers: { Authorization: "Bearer sk_test_simulator" } };
  await expect(fetch(`${simulator.url}/v1/payment_intents/${id}/capture`, options)).rejects.toThrow(
    "fetch failed",
  );
  expect((await simulator.stripe.paymentIntents.retrieve(id)).status).toBe("requires_capture");
});

test("charges and modifications meet their own faults only, each as often as planned", async () => {
  const plan = {
    next: [{ fault: "500_before", count: 1 }],
    next_modifications: [{ fault: "429", count: 2 }],
  };
  expect(await admin(simulator.url, "faults", plan)).toMatchObject(plan);
  expect(await seen(simulator.stripe.paymentIntents.create(authorization()))).toBe(FAILED);
  const { id } = await simulator.stripe.paymentIntents.create(authorization());
  expect(await seen(simulator.stripe.paymentIntents.capture(id))).toBe("StripeRateLimitError");
  expect(await seen(simulator.stripe.paymentIntents.cancel(id))).toBe("StripeRateLimitError");
  expect(await seen(simulator.stripe.paymentIntents.capture(id))).toBe("succeeded");
  expect(await admin(simulator.url, "faults")).toMatchObject({ next: [], next_modifications: [] });
});

test("what is refused, and what only repeats a key, meets no fault", async () => {
  const { id } = await simulator.stripe.paymentIntents.create(authorization({}, false));
  const key = { idempotencyKey: randomUUID() };
  await simulator.stripe.paymentIntents.capture(id, {}, key);
  await strikeNext("429");
  expect(await seen(simulator.stripe.paymentIntents.capture(id, {}, key))).toBe("succeeded");
  expect(await seen(simulator.stripe.paymentIntents.cancel(id))).toBe("StripeInvalidRequestError");
  expect(await admin(simulator.url, "faults")).toMatchObject({
    next_modifications: [{ fault: "429", count: 1 }],
  });
});

test("faults of charges alone are refused with their reason", async () => {
  for (const fault of ["once_500", "once_processing_error", "no_redirect"]) {
    expect(await strikeNext(fault)).toMatchObject({
      error: {
        message: expect.stringContaining(
          `next_modifications cannot hold ${fault}, which strikes charges only`,
        ),
      },
    });
  }
  expect(await strikeNext("nonsense")).toMatchObject({
    error: { message: expect.stringContaining("fault must be one of") },
  });
  expect(await admin(simulator.url, "faults")).toMatchObject({ next_modifications: [] });
});
