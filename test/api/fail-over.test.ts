import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freePort, startTestStack, type TestStack } from "../support/stack.ts";
import { acceptCheckout, card, orderIn, path } from "./requests.ts";

const hmac_key = "c4".repeat(32);
let stack: TestStack;
beforeAll(async () => {
  const [port, simulatorPort, nowhere] = [await freePort(), await freePort(), await freePort()];
  const adyen = {
    name: "adyen",
    kind: "adyen",
    secret_key_env: "ADYEN_KEY",
    webhook_secrets_env: "ADYEN_HMAC",
    merchant_account: "SimulatorMerchant",
    has_multiple_partial_captures: true,
    return_url: "https://shop.example/",
    api_base: `http://127.0.0.1:${simulatorPort}/adyen`,
  };
  const gone = {
    name: "stripe-gone",
    kind: "stripe",
    secret_key_env: "STRIPE_KEY",
    api_base: `http://127.0.0.1:${nowhere}`,
  };
  stack = await startTestStack({
    environment: {
      PORT: String(port),
      SIMULATOR_PORT: String(simulatorPort),
      SIMULATOR_ADYEN_HMAC_KEY: hmac_key,
      SIMULATOR_ADYEN_WEBHOOK_URL: `http://127.0.0.1:${port}/api/v1/webhooks/adyen`,
      ADYEN_KEY: "adyen_test_simulator",
      ADYEN_HMAC: hmac_key,
      STRIPE_KEY: "sk_test_simulator",
      PSP_TIMEOUT_SECONDS: "1",
      PSP_BREAKER_FAILURES: "1000",
      PSP_ACCOUNTS: JSON.stringify([adyen, gone]),
      // Euros would go to an account that cannot be reached, with Adyen as its stand-in.
      PSP_ROUTING: JSON.stringify([
        {
          when: { currencies: ["EUR"] },
          to: [
            { psp: "stripe-gone", weight: 1 },
            { psp: "adyen", weight: 0 },
          ],
        },
      ]),
    },
  });
});
afterAll(() => stack.stopAll());

describe("orders that are charged at Adyen", () => {
  test("are paid, booked under its name, and its signed notification is taken in", async () => {
    const {
      order_ids: [id],
    } = await acceptCheckout(stack);
    const order = await orderIn(stack, id, "SUCCESS");
    expect(order.attempts).toMatchObject([{ psp: "adyen", status: "succeeded" }]);
    expect(await stack.effects(`payment_order_id=${id}`)).toMatchObject({ count: 1 });
    expect(
      (await stack.call("GET", "/ledger/accounts/psp:adyen:clearing/balance?currency=USD")).json,
    ).toMatchObject({ balance: "29.99" });
    await expect
      .poll(
        async () =>
          stack.db.asOwner("select psp, state from webhook_inbox where attempt_id = $1", [
            order.attempts[0]?.attempt_id,
          ]),
        { timeout: 10_000 },
      )
      .toEqual([{ psp: "adyen", state: "applied" }]);
  });

  test.for([
    ["tok_card_declined", "card_declined"],
    ["tok_insufficient_funds", "insufficient_funds"],
  ])("%s is FAILED with the reason %s", async ([token = "", code]) => {
    const {
      order_ids: [id],
    } = await acceptCheckout(stack, card(token));
    expect(await orderIn(stack, id, "FAILED")).toMatchObject({ error_code: code });
    expect(await stack.effects(`payment_order_id=${id}`)).toMatchObject({ count: 0 });
  });

  test.for(["timeout_after_charge", "500_after_charge", "truncated"])(
    "%s: the notification tells, and there is one charge under one key",
    async (fault) => {
      const {
        order_ids: [id],
      } = await acceptCheckout(stack, card(`tok_fault_${fault}`));
      const order = await orderIn(stack, id, "SUCCESS");
      expect(order.attempts).toHaveLength(1);
      expect(await stack.effects(`payment_order_id=${id}`)).toMatchObject({ count: 1 });
    },
  );

  test("a request that never gets an answer stays UNKNOWN: no second attempt, no other PSP", async () => {
    const {
      order_ids: [id],
    } = await acceptCheckout(stack, card("tok_fault_timeout_before_charge"));
    await orderIn(stack, id, "UNKNOWN");
    await expect
      .poll(async () => (await stack.call("GET", "/unresolved_orders")).json["data"], { timeout: 10_000 })
      .toContainEqual(
        expect.objectContaining({ payment_order_id: id, status: "UNKNOWN", psp: "adyen", inquiry_count: 2 }),
      );
    const order = await orderIn(stack, id, "UNKNOWN");
    expect(order.attempts).toHaveLength(1);
    expect(await stack.effects(`payment_order_id=${id}`)).toMatchObject({ count: 0 });
  });
});

describe("orders that are authorised at Adyen", () => {
  const capture = (id: string, capture_id: string, amount: string, is_final: boolean): Promise<unknown> =>
    stack.call("POST", `/payments/${id}/capture`, { capture_id, amount, is_final });

  test("are captured in parts, the rest is let go: Adyen accepts each, and its notification tells that it was done", async () => {
    const {
      order_ids: [id],
    } = await acceptCheckout(stack, { capture_method: "manual" }, [{ amount: "50.00" }]);
    await orderIn(stack, id, "AUTHORIZED");
    expect(await stack.effects(`payment_order_id=${id}`)).toMatchObject({ count: 0 });
    await capture(id, "one", "20.00", false);
    await capture(id, "two", "5.00", true);
    expect(await orderIn(stack, id, "SUCCESS")).toMatchObject({
      captured_amount: "25.00",
      attempts: [{ psp: "adyen", status: "succeeded" }],
      operations: [
        { kind: "capture", status: "succeeded" },
        { kind: "capture", status: "succeeded" },
        { kind: "void", status: "succeeded" },
      ],
    });
    expect(await stack.effects(`payment_order_id=${id}`)).toMatchObject({ count: 2 });
  });

  test("are given up, and nothing is taken", async () => {
    const {
      order_ids: [id],
    } = await acceptCheckout(stack, { capture_method: "manual" });
    await orderIn(stack, id, "AUTHORIZED");
    await stack.call("POST", `/payments/${id}/cancel`);
    expect(await orderIn(stack, id, "CANCELED")).toMatchObject({ status_cause: "canceled" });
    expect(await stack.effects(`payment_order_id=${id}`)).toMatchObject({ count: 0 });
  });

  test.for(["timeout_after_charge", "500_after_charge", "disconnect_after_charge"])(
    "%s: a capture whose answer was lost happens once, and the notification tells",
    async (fault) => {
      const {
        order_ids: [id],
      } = await acceptCheckout(stack, { capture_method: "manual" }, [{ amount: "50.00" }]);
      await orderIn(stack, id, "AUTHORIZED");
      await stack.setFaults({ next_modifications: [{ fault, count: 1 }] });
      await capture(id, "one", "50.00", true);
      expect(await orderIn(stack, id, "SUCCESS")).toMatchObject({ captured_amount: "50.00" });
      expect(await stack.effects(`payment_order_id=${id}`)).toMatchObject({ count: 1 });
    },
  );
});

describe("fail-over", () => {
  test("the first PSP was surely not reached: the next attempt goes to the rule's other one, with a key of its own", async () => {
    const {
      order_ids: [id],
    } = await acceptCheckout(stack, {}, [{ currency: "EUR" }]);
    const order = await orderIn(stack, id, "SUCCESS");
    expect(path(order)).toBe("NOT_STARTED EXECUTING RETRY_SCHEDULED EXECUTING SUCCESS");
    expect(order.attempts).toMatchObject([
      { psp: "stripe-gone", status: "not_sent" },
      { psp: "adyen", status: "succeeded" },
    ]);
    expect(new Set(order.attempts.map((attempt) => attempt.psp_key)).size).toBe(2);
    expect(await stack.effects(`payment_order_id=${id}`)).toMatchObject({ count: 1 });
  });

  test("a decline is the card's, not the PSP's: no other PSP is asked", async () => {
    const {
      order_ids: [id],
    } = await acceptCheckout(stack, card("tok_card_declined"), [{ currency: "EUR" }]);
    const order = await orderIn(stack, id, "FAILED");
    expect(order.attempts).toMatchObject([
      { psp: "stripe-gone", status: "not_sent" },
      { psp: "adyen", status: "declined" },
    ]);
  });

  test("a hosted page is not offered where the rules allow only a PSP without pages", async () => {
    const reply = await stack.call("POST", "/payments", {
      checkout_id: "no-page",
      buyer_info: { user_id: "b", email: "b@example.com" },
      hosted_page: { return_url: "https://shop.example/" },
      payment_orders: [
        { payment_order_id: "no-page-1", seller_account: "s", amount: "1.00", currency: "USD" },
      ],
    });
    expect(reply).toMatchObject({ status: 400, json: { param: "hosted_page" } });
  });
});
