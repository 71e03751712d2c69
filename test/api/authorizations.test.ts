import Stripe from "stripe";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { verifyBooks } from "../../src/cli/verify.ts";
import { deadLetters, deadLettersAbout, orderOf, type OrderDetail } from "../support/answers.ts";
import { simulatorKey } from "../support/simulator.ts";
import { startTestStack, type TestStack } from "../support/stack.ts";
import { acceptCheckout, orderIn, until } from "./requests.ts";

const seconds = 2;
let stack: TestStack;
let stripe: Stripe;
beforeAll(async () => {
  stack = await startTestStack({
    environment: {
      AUTHORIZATION_SECONDS: String(seconds),
      PSP_TIMEOUT_SECONDS: "1",
      PSP_UNKNOWN_QUIET_SECONDS: "1",
    },
    has_webhooks: true,
  });
  stripe = new Stripe(simulatorKey, {
    host: "127.0.0.1",
    port: new URL(stack.simulator_url).port,
    protocol: "http",
    telemetry: false,
  });
});
afterAll(async () => {
  expect((await verifyBooks(stack.db.database)).flatMap((check) => check.faults)).toEqual([]);
  await stack.stopAll();
});

async function authorise(): Promise<{ id: string; psp_token: string }> {
  const {
    order_ids: [id],
  } = await acceptCheckout(stack, { capture_method: "manual" }, [{ amount: "100.00" }]);
  const { psp_token } = await stack.waitForOrder(id, ["AUTHORIZED"]);
  return { id, psp_token: String(psp_token) };
}
const captured = async (id: string, amount: string): Promise<unknown> => {
  await stack.call("POST", `/payments/${id}/capture`, { capture_id: "part", amount, is_final: false });
  return until(
    "the part is captured",
    async () => (await stack.call("GET", `/payments/${id}`)).json["captured_amount"] === amount,
  );
};

const operationsOf = async (id: string): Promise<OrderDetail["operations"]> =>
  (await orderOf(stack, id)).operations;
const lettersOf = async (queue: string): Promise<string[]> =>
  (await deadLetters(stack, `queue=${queue}`)).map(({ reason }) => reason);

describe.concurrent("when the time of an authorisation is over", () => {
  test("an order of which nothing was captured is CANCELED as expired, and given up at the PSP", async () => {
    const { id, psp_token } = await authorise();
    const order = await orderIn(stack, id, "CANCELED");
    expect(order).toMatchObject({
      status_cause: "expired",
      error_code: "expired",
      operations: [{ kind: "void", void_cause: "expired", status: "succeeded" }],
    });
    expect((await stripe.paymentIntents.retrieve(psp_token)).status).toBe("canceled");
    expect(await stack.effects(`payment_order_id=${id}`)).toMatchObject({ count: 0 });
  });

  test("an order that was captured in part is SUCCESS with that part", async () => {
    const { id } = await authorise();
    await captured(id, "40.00");
    expect(await orderIn(stack, id, "SUCCESS")).toMatchObject({
      status_cause: "rest_released",
      captured_amount: "40.00",
    });
    expect(await stack.effects(`payment_order_id=${id}`)).toMatchObject({ count: 1 });
  });
});

describe.concurrent("what a person does at the PSP itself", () => {
  test("an authorisation given up there ends the order here", async () => {
    const { id, psp_token } = await authorise();
    await stripe.paymentIntents.cancel(psp_token);
    expect(await orderIn(stack, id, "CANCELED")).toMatchObject({
      status_cause: "canceled",
      transitions: expect.arrayContaining([
        expect.objectContaining({ to_status: "CANCELED", actor: "webhook:stripe" }),
      ]) as unknown[],
    });
  });

  test("money taken there that nobody here asked for is a dead letter, and is not booked", async () => {
    const { id, psp_token } = await authorise();
    await stripe.paymentIntents.capture(psp_token, { amount_to_capture: 3_000 });
    await until("a dead letter tells of it", async () => {
      return (await deadLettersAbout(stack, id)).some(({ reason }) => reason.includes("3000"));
    });
    expect((await stack.call("GET", `/payments/${id}`)).json).toMatchObject({ captured_amount: "0.00" });
    // When its time is over it cannot be given up any more: that is tried once, told, and shown until a person decides.
    await until("the void is refused", async () =>
      (await operationsOf(id)).some(({ status }) => status === "failed"),
    );
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect(await operationsOf(id)).toMatchObject([
      { kind: "void", void_cause: "expired", status: "failed", failure_code: "paid_meanwhile" },
    ]);
    expect((await stack.call("GET", "/unresolved_orders")).json["data"]).toContainEqual(
      expect.objectContaining({ payment_order_id: id, status: "AUTHORIZED" }),
    );
    expect(await lettersOf("operation_execute")).toContainEqual(
      expect.stringContaining("could not be released"),
    );
  });
});

test("a PSP that cannot be reached when the time is over is asked again, and no capture gets in between", async () => {
  const { id } = await authorise();
  await stack.setFaults({
    next_modifications: [
      { fault: "timeout_before_charge", count: 1 },
      { fault: "500_before", count: 1 },
    ],
  });
  expect(await orderIn(stack, id, "CANCELED")).toMatchObject({ status_cause: "expired" });
  expect((await stack.call("POST", `/payments/${id}/capture`, { capture_id: "late" })).status).toBe(409);
});

describe("a person who knows better", () => {
  /** A capture of 30.00 that the PSP never answers. */
  async function silentCapture(): Promise<{ id: string; operation_id: string }> {
    const { id } = await authorise();
    await stack.setFaults({ next_modifications: [{ fault: "timeout_before_charge", count: 50 }] });
    await stack.call("POST", `/payments/${id}/capture`, {
      capture_id: "silent",
      amount: "30.00",
      is_final: false,
    });
    await until("the outcome is unknown", async () => (await operationsOf(id))[0]?.status === "unknown");
    return { id, operation_id: (await operationsOf(id))[0]?.operation_id ?? "" };
  }
  const resolve = (operation_id: string, body: unknown): Promise<{ status: number }> =>
    stack.call("POST", `/operations/${operation_id}/resolve`, body);

  const operationEnded = (id: string, status: string): Promise<void> =>
    until(`the capture has ${status}`, async () => (await operationsOf(id))[0]?.status === status);

  test("says that a capture was not made: it has failed, and what it asked for may be captured again", async () => {
    const { id, operation_id } = await silentCapture();
    expect(await resolve(operation_id, { outcome: "failed" })).toMatchObject({ status: 400 });
    const word = { outcome: "failed", note: "not in the PSP's dashboard" };
    expect(await resolve(operation_id, word)).toMatchObject({
      status: 202,
      json: { resolution: { ...word, actor: expect.any(String) as string } },
    });
    await operationEnded(id, "failed");
    expect(await resolve(operation_id, word)).toMatchObject({
      status: 202,
      json: { status: "failed", failure_code: "resolved_by_person" },
    });
    await stack.setFaults({ next_modifications: [] });
    await stack.call("POST", `/payments/${id}/capture`, { capture_id: "again", amount: "100.00" });
    expect(await orderIn(stack, id, "SUCCESS")).toMatchObject({ captured_amount: "100.00" });
    expect(await resolve(operation_id, { outcome: "succeeded", note: "after all" })).toMatchObject({
      status: 409,
    });
  });

  test("says that it was made: it is booked", async () => {
    const { id, operation_id } = await silentCapture();
    expect(
      await resolve(operation_id, { outcome: "succeeded", note: "in the PSP's dashboard" }),
    ).toMatchObject({ status: 202 });
    await operationEnded(id, "succeeded");
    expect((await stack.call("GET", `/payments/${id}`)).json).toMatchObject({
      captured_amount: "30.00",
      status: "AUTHORIZED",
    });
    await stack.setFaults({ next_modifications: [] });
    expect(await resolve("op_none", { outcome: "failed", note: "x" })).toMatchObject({ status: 404 });
    expect(await resolve(operation_id, { outcome: "failed", note: "x" })).toMatchObject({ status: 409 });
  });

  test("may be wrong: the alarm says what the PSP has taken, and he takes his word back", async () => {
    const { id, operation_id } = await silentCapture();
    await resolve(operation_id, { outcome: "failed", note: "looked at the wrong payment" });
    await operationEnded(id, "failed");
    await stack.setFaults({ next_modifications: [] });
    // The request was on its way all the time.
    await stripe.paymentIntents.capture(
      String((await stack.call("GET", `/payments/${id}`)).json["psp_token"]),
      { amount_to_capture: 3_000, final_capture: false },
    );
    expect(await resolve(operation_id, { outcome: "succeeded", note: "there it is" })).toMatchObject({
      status: 202,
    });
    await operationEnded(id, "succeeded");
    expect((await stack.call("GET", `/payments/${id}`)).json).toMatchObject({
      captured_amount: "30.00",
      status: "AUTHORIZED",
    });
    await stack.call("POST", `/payments/${id}/capture`, { capture_id: "rest" });
    expect(await orderIn(stack, id, "SUCCESS")).toMatchObject({ captured_amount: "100.00" });
  });
});

test("a cancel of a payment that is being given up for its decline is the last word: no other attempt follows", async () => {
  const {
    order_ids: [id],
  } = await acceptCheckout(stack, { credit_card_info: { token: "tok_authenticationRequired" } }, [
    { amount: "10.00" },
  ]);
  const { psp_token } = await stack.waitForOrder(id, ["PENDING"]);
  await stack.setFaults({ next_modifications: [{ fault: "timeout_before_charge", count: 1 }] });
  await expect(
    stripe.paymentIntents.confirm(String(psp_token), {
      payment_method: "pm_card_chargeDeclinedProcessingError",
    }),
  ).rejects.toMatchObject({ type: "StripeCardError" });
  await until("it is being given up", async () => (await operationsOf(id)).length === 1);
  expect((await stack.call("POST", `/payments/${id}/cancel`)).status).toBe(202);
  expect(await orderIn(stack, id, "CANCELED")).toMatchObject({
    status_cause: "canceled",
    attempts: [{ status: "canceled" }],
    operations: [{ void_cause: "canceled", status: "succeeded" }],
  });
});

test("a page that was paid just before it is closed stays paid, and keeps the PSP's reference of its charge", async () => {
  const {
    order_ids: [one, other = ""],
    checkout_id,
    reply,
  } = await acceptCheckout(
    stack,
    { credit_card_info: undefined, hosted_page: { return_url: "https://shop.example/" } },
    [{}, { amount: "5.00" }],
  );
  await orderIn(stack, one, "PENDING");
  await stack.setFaults({ webhooks: { drop_rate: 1 } });
  await fetch(String(reply.json["hosted_page_url"]), {
    method: "POST",
    redirect: "manual",
    body: new URLSearchParams({ number: "4242424242424242", expiry: "12/34", cvc: "123", name: "Alice" }),
  });
  await stack.call("POST", `/checkouts/${checkout_id}/cancel`);
  for (const id of [one, other]) {
    expect(await orderIn(stack, id, "SUCCESS")).toMatchObject({
      attempts: [{ status: "succeeded", psp_reference: expect.stringMatching(/^pi_/) as string }],
      operations: [{ kind: "void", status: "failed", failure_code: "paid_meanwhile" }],
    });
  }
  await stack.setFaults({ webhooks: { drop_rate: 0 } });
});

test("a buyer whose card was declined cannot pay the old payment any more once another attempt has begun", async () => {
  const {
    order_ids: [id],
  } = await acceptCheckout(stack, { credit_card_info: { token: "tok_authenticationRequired" } }, [
    { amount: "10.00" },
  ]);
  const { psp_token } = await stack.waitForOrder(id, ["PENDING"]);
  // The buyer tries another card at the PSP, which fails for a moment there.
  await expect(
    stripe.paymentIntents.confirm(String(psp_token), {
      payment_method: "pm_card_chargeDeclinedProcessingError",
    }),
  ).rejects.toMatchObject({ type: "StripeCardError" });
  await until("another attempt waits for the buyer", async () => {
    const { status, attempts } = await orderOf(stack, id);
    return status === "PENDING" && attempts.length === 2;
  });
  await expect(
    stripe.paymentIntents.confirm(String(psp_token), { payment_method: "pm_card_visa" }),
  ).rejects.toMatchObject({ code: "payment_intent_unexpected_state" });
  expect((await stripe.paymentIntents.retrieve(String(psp_token))).status).toBe("canceled");
  expect(await stack.effects(`payment_order_id=${id}`)).toMatchObject({ count: 0 });
});

test("a capture whose job was lost is taken up again by the monitor", async () => {
  await stack.service.stop();
  await stack.restartService({ OVERDUE_SECONDS: "1", MONITOR_SECONDS: "1", AUTHORIZATION_SECONDS: "600" });
  const { id } = await authorise();
  await stack.service.stop();
  await stack.db.asOwner(
    `insert into operations (operation_id, attempt_id, lane, psp, payment_order_id, kind, capture_id, amount_minor, currency, is_final, created_by)
     select 'op_0000000000000000000000lost', attempt_id, 'attempt:' || attempt_id, 'stripe', payment_order_id, 'capture', 'lost', 10000, 'USD', true, 'test' from payment_orders where payment_order_id = $1`,
    [id],
  );
  await stack.db.asOwner("update payment_orders set capturing_minor = 10000 where payment_order_id = $1", [
    id,
  ]);
  await stack.restartService({ OVERDUE_SECONDS: "1", MONITOR_SECONDS: "1", AUTHORIZATION_SECONDS: "600" });
  expect(await orderIn(stack, id, "SUCCESS")).toMatchObject({ captured_amount: "100.00" });
});
