import { randomUUID } from "node:crypto";
import { hmacValidator } from "@adyen/api-library";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { verifyBooks } from "../../src/cli/verify.ts";
import { freePort, startTestStack, type TestStack } from "../support/stack.ts";
import { acceptCheckout, orderIn, until } from "./requests.ts";

const platform = { component: "platform", rule: "default", currency: "USD" };
const faultsIn = async (stack: TestStack): Promise<unknown[]> =>
  (await verifyBooks(stack.db.database)).flatMap((check) => check.faults);

/** What the ledger holds of an order's commissions, captures and reversals together. */
async function commissionInLedger(stack: TestStack, id: string): Promise<unknown> {
  const { json } = await stack.call("GET", `/ledger?transaction_id=${id}`);
  const entries = json["data"] as { account: string; debit: string | null; credit: string | null }[];
  return entries
    .filter(({ account }) => account === "platform:commission")
    .map(({ debit, credit }) => credit ?? `-${debit}`);
}

describe("when the rate of the commission changes", () => {
  let stack: TestStack;
  beforeAll(async () => {
    stack = await startTestStack({
      environment: { COMMISSION_BASIS_POINTS: "250", RISK_REVIEW_FROM: "USD:200.00" },
    });
  });
  afterAll(() => stack.stopAll());

  let rate = 250;
  const changeRateTo = async (basis_points: number): Promise<void> => {
    if (rate === basis_points) return;
    rate = basis_points;
    await stack.service.stop();
    await stack.restartService({
      COMMISSION_BASIS_POINTS: String(basis_points),
      RISK_REVIEW_FROM: "USD:200.00",
    });
  };
  async function capture(id: string, capture_id: string, amount: string, is_final: boolean): Promise<void> {
    await stack.call("POST", `/payments/${id}/capture`, { capture_id, amount, is_final });
    await until(`${capture_id} is made`, async () => {
      const { operations } = await orderIn(stack, id, "AUTHORIZED", "SUCCESS");
      return operations.some((one) => one.capture_id === capture_id && one.status === "succeeded");
    });
  }

  test("all captures of an order take the rate of its acceptance, together that of their sum", async () => {
    await changeRateTo(250);
    const {
      order_ids: [id],
    } = await acceptCheckout(stack, { capture_method: "manual" }, [{ amount: "100.00" }]);
    await orderIn(stack, id, "AUTHORIZED");
    await capture(id, "one", "33.33", false);
    await changeRateTo(1_000);
    await capture(id, "two", "33.34", false);
    await changeRateTo(0);
    await capture(id, "three", "3.33", true);
    const { commissions } = await orderIn(stack, id, "SUCCESS");
    // 2.5 % of 70.00 are 1.75.
    expect(commissions).toEqual([
      { ...platform, basis_points: 250, amount: "0.83", capture_id: "one" },
      { ...platform, basis_points: 250, amount: "0.84", capture_id: "two" },
      { ...platform, basis_points: 250, amount: "0.08", capture_id: "three" },
    ]);
    expect(await faultsIn(stack)).toEqual([]);
  });

  test("an order that was accepted before and is charged afterwards keeps its rate; a new one has the new", async () => {
    await changeRateTo(250);
    const {
      checkout_id,
      order_ids: [held],
    } = await acceptCheckout(stack, {}, [{ amount: "300.00" }]);
    await orderIn(stack, held, "PENDING");
    await changeRateTo(1_000);
    expect(
      (await stack.call("POST", `/checkouts/${checkout_id}/review`, { decision: "approve" })).status,
    ).toBe(200);
    expect(await orderIn(stack, held, "SUCCESS")).toMatchObject({
      commissions: [{ ...platform, basis_points: 250, amount: "7.50", capture_id: null }],
    });
    const {
      order_ids: [recent],
    } = await acceptCheckout(stack, {}, [{ amount: "30.00" }]);
    expect(await orderIn(stack, recent, "SUCCESS")).toMatchObject({
      commissions: [{ ...platform, basis_points: 1_000, amount: "3.00", capture_id: null }],
    });
    expect(await faultsIn(stack)).toEqual([]);
  });

  test("a commission of 0 is not listed", async () => {
    await changeRateTo(250);
    const {
      order_ids: [id],
    } = await acceptCheckout(stack, {}, [{ amount: "0.19" }]);
    expect(await orderIn(stack, id, "SUCCESS")).toMatchObject({ commissions: [] });
    expect(await commissionInLedger(stack, id)).toEqual([]);
    expect(await faultsIn(stack)).toEqual([]);
  });
});

describe("a capture that fails after it was booked", () => {
  const hmac_key = "c4".repeat(32);
  let stack: TestStack;
  beforeAll(async () => {
    const simulatorPort = await freePort();
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
    stack = await startTestStack({
      environment: {
        COMMISSION_BASIS_POINTS: "250",
        SIMULATOR_PORT: String(simulatorPort),
        ADYEN_KEY: "adyen_test_simulator",
        ADYEN_HMAC: hmac_key,
        PSP_ACCOUNTS: JSON.stringify([adyen]),
      },
    });
  });
  afterAll(() => stack.stopAll());

  async function notify(eventCode: string, merchantReference: string, pspReference: string): Promise<void> {
    const item = {
      eventCode,
      merchantReference,
      pspReference,
      success: "true",
      amount: { value: 3_000, currency: "USD" },
      eventDate: "2026-01-01T12:00:00+01:00",
      merchantAccountCode: "SimulatorMerchant",
      operations: [],
      paymentMethod: "visa",
      reason: "",
    };
    const hmacSignature = new hmacValidator().calculateHmac(item as never, hmac_key);
    const reply = await stack.call("POST", "/webhooks/adyen", {
      live: "false",
      notificationItems: [{ NotificationRequestItem: { ...item, additionalData: { hmacSignature } } }],
    });
    expect(reply.status).toBe(200);
  }

  test("gives its commission back, each time that it was taken, and the next capture has one of its own", async () => {
    const {
      order_ids: [id],
    } = await acceptCheckout(stack, {}, [{ amount: "30.00" }]);
    const taken = { ...platform, basis_points: 250, amount: "0.75", capture_id: null };
    const given_back = { ...taken, amount: "-0.75" };
    const failCapture = async (): Promise<void> => {
      const { attempts } = await orderIn(stack, id, "SUCCESS");
      await notify("CAPTURE_FAILED", String(attempts.at(-1)?.attempt_id), randomUUID().slice(0, 16));
      await orderIn(stack, id, "FAILED");
      expect(await faultsIn(stack)).toEqual([]);
    };
    await failCapture();
    expect(await orderIn(stack, id, "FAILED")).toMatchObject({ commissions: [taken, given_back] });
    await stack.call("POST", `/payments/${id}/retry`, {});
    await failCapture();
    await stack.call("POST", `/payments/${id}/retry`, {});
    expect((await orderIn(stack, id, "SUCCESS")).commissions).toEqual([
      taken,
      given_back,
      taken,
      given_back,
      taken,
    ]);
    expect(await faultsIn(stack)).toEqual([]);
  });

  test("of an authorisation gives back the commission of that capture alone", async () => {
    const {
      order_ids: [id],
    } = await acceptCheckout(stack, { capture_method: "manual" }, [{ amount: "100.00" }]);
    await orderIn(stack, id, "AUTHORIZED");
    const capture = async (capture_id: string): Promise<{ operation_id: string; psp_reference: string }> => {
      await stack.call("POST", `/payments/${id}/capture`, { capture_id, amount: "30.00", is_final: false });
      const stateOf = async (): Promise<Record<string, unknown> | undefined> =>
        (
          await stack.db.asOwner(
            "select operation_id, psp_reference, status from operations where payment_order_id = $1 and capture_id = $2",
            [id, capture_id],
          )
        )[0];
      await until("the capture waits", async () => (await stateOf())?.["status"] === "pending");
      const operation = (await stateOf()) as { operation_id: string; psp_reference: string };
      await notify("CAPTURE", operation.operation_id, operation.psp_reference);
      await until("the capture is made", async () => (await stateOf())?.["status"] === "succeeded");
      return operation;
    };
    const first = await capture("one");
    await capture("two");
    await notify("CAPTURE_FAILED", first.operation_id, first.psp_reference);
    await until(
      "the first capture is reversed",
      async () => (await orderIn(stack, id, "AUTHORIZED")).captured_amount === "30.00",
    );
    const taken = { ...platform, basis_points: 250, amount: "0.75" };
    expect((await orderIn(stack, id, "AUTHORIZED")).commissions).toEqual([
      { ...taken, capture_id: "one" },
      { ...taken, amount: "-0.75", capture_id: "one" },
      { ...taken, capture_id: "two" },
    ]);
    expect(await faultsIn(stack)).toEqual([]);
  });
});
