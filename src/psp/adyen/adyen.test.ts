import { afterEach, beforeEach, expect, test } from "vitest";
import { attemptId, operationId } from "../../ids.ts";
import { toCurrencyCode } from "../../money/money.ts";
import { openReceiver, type Receiver } from "../../../test/conformance/receiver.ts";
import type { ChargeRequest, OperationRequest } from "../port.ts";
import { createAdyen, type AdyenOptions } from "./adyen.ts";

let server: Receiver;
beforeEach(async () => {
  server = await openReceiver(
    200,
    JSON.stringify({ resultCode: "Authorised", pspReference: "8835551234567890" }),
  );
});
afterEach(() => server.close());

const open = (changes: Partial<AdyenOptions> = {}): ReturnType<typeof createAdyen> =>
  createAdyen({
    name: "adyen",
    secret_key: "AQE-key",
    merchant_account: "Shop",
    has_multiple_partial_captures: true,
    webhook_secrets: [],
    api_base: server.url,
    return_url: "https://shop.example/return",
    timeout_ms: 1_000,
    connections_max: 1,
    ...changes,
  });
const request = (changes: Partial<ChargeRequest> = {}): ChargeRequest => ({
  attempt_id: attemptId("att_1"),
  psp_key: "key-1",
  checkout_id: "checkout-1",
  payment_order_id: "order-1",
  money: { amount_minor: 2_999n, currency: toCurrencyCode("USD") },
  card_token: "8415718415172204",
  capture_method: "automatic",
  return_url: null,
  ...changes,
});
const sent = (): unknown => JSON.parse(server.received.at(-1)?.body.toString("utf8") ?? "");

test("a charge is one payment under the attempt's key and reference, captured at once, with our ids as metadata", async () => {
  await open().charge(request());
  const [received] = server.received;
  expect(received?.path).toBe("/v72/payments");
  expect(received?.headers).toMatchObject({
    "x-api-key": "AQE-key",
    "idempotency-key": "key-1",
    "content-type": "application/json",
  });
  expect(sent()).toEqual({
    merchantAccount: "Shop",
    reference: "att_1",
    amount: { value: 2_999, currency: "USD" },
    paymentMethod: { type: "scheme", storedPaymentMethodId: "8415718415172204" },
    captureDelayHours: 0,
    shopperInteraction: "ContAuth",
    recurringProcessingModel: "CardOnFile",
    returnUrl: "https://shop.example/return",
    metadata: { checkout_id: "checkout-1", payment_order_id: "order-1" },
  });
});

test("a card token with a slash names the shopper too, whatever is in that name", async () => {
  await open().charge(request({ card_token: "shop/per 1/8415718415172204" }));
  expect(sent()).toMatchObject({
    shopperReference: "shop/per 1",
    paymentMethod: { storedPaymentMethodId: "8415718415172204" },
  });
});

test("the simulator's path comes before Adyen's, and with a live prefix it is the live one", async () => {
  await open({ api_base: new URL("/adyen", server.url) }).charge(request());
  await open({ live_endpoint_prefix: "1797a841fbb37ca7-Shop" }).charge(request());
  expect(server.received.map(({ path }) => path)).toEqual(["/adyen/v72/payments", "/checkout/v72/payments"]);
});

test("a key is good for six days, and a change whose key is older is not sent again", async () => {
  expect(open().key_seconds).toBe(6 * 86_400);
  const id = "op_1";
  const change: OperationRequest = {
    kind: "capture",
    operation_id: operationId(id),
    psp_key: `${id}-1`,
    attempt_id: attemptId("att_1"),
    page_token: null,
    psp_reference: "8835551234567890",
    money: request().money,
    captured_before_minor: 0n,
    is_final: true,
    turn: "ask_only",
  };
  expect(await open().operate(change)).toMatchObject({ kind: "unknown" });
  expect(await open().operate({ ...change, turn: "ask_for_proof" })).toMatchObject({ kind: "unknown" });
  expect(server.received).toHaveLength(0);
});

test("an inquiry sends nothing", async () => {
  const { attempt_id, psp_key, money } = request();
  const inquiry = { attempt_id, psp_key, money, psp_reference: "8835551234567890", page_token: null };
  expect(await open().inquire(inquiry)).toEqual({ kind: "not_found" });
  // Nor can it prove anything, however long ago the charge was sent.
  expect(
    await open().inquire({ ...inquiry, sent_between: { first: new Date(0), last: new Date(0) } }),
  ).toEqual({ kind: "not_found" });
  expect(server.received).toHaveLength(0);
});

test.each(["", "secret", "A1B2", "zz".repeat(32)])(
  "%j is no webhook key: the library would take it for an empty one",
  (key) => {
    expect(() => open({ webhook_secrets: [key] })).toThrow("adyen: a webhook key");
  },
);
