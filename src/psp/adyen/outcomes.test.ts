import { afterEach, expect, test, vi } from "vitest";
import { attemptId } from "../../ids.ts";
import { toCurrencyCode, type Money } from "../../money/money.ts";
import { openReceiver, type Receiver } from "../../../test/conformance/receiver.ts";
import type { PspOutcome } from "../port-outcomes.ts";
import type { ChargeRequest } from "../port.ts";
import { createAdyen, type AdyenOptions } from "./adyen.ts";

let server: Receiver | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

const price: Money = { amount_minor: 1_000n, currency: toCurrencyCode("EUR") };
const request: ChargeRequest = {
  attempt_id: attemptId("att_1"),
  psp_key: "key-1",
  checkout_id: "checkout-1",
  payment_order_id: "order-1",
  money: price,
  card_token: "8415718415172204",
  capture_method: "automatic",
  return_url: null,
};

/** The outcome of a charge at a PSP that answers like this. */
async function chargeAt(
  status: number,
  answer: unknown,
  changes: Partial<ChargeRequest> = {},
  options: Partial<AdyenOptions> = {},
): Promise<PspOutcome> {
  await server?.close();
  server = await openReceiver(status, typeof answer === "string" ? answer : JSON.stringify(answer));
  return createAdyen({
    name: "adyen",
    secret_key: "key",
    merchant_account: "Shop",
    has_multiple_partial_captures: true,
    webhook_secrets: [],
    api_base: server.url,
    return_url: "https://shop.example/return",
    timeout_ms: 1_000,
    connections_max: 1,
    ...options,
  }).charge({ ...request, ...changes });
}

const resultOf = (resultCode: string, fields: Record<string, unknown> = {}): unknown => ({
  resultCode,
  pspReference: "8835551234567890",
  merchantReference: "att_1",
  amount: { value: 1_000, currency: "EUR" },
  ...fields,
});
const psp_reference = "8835551234567890";
const references = [{ type: "payment", reference: psp_reference }];
const succeeded = { kind: "succeeded", psp_reference, charged: price, references };

test("Authorised is a success of the amount in the answer, or of the whole one when the answer has none", async () => {
  expect(await chargeAt(200, resultOf("Authorised"))).toEqual(succeeded);
  expect(await chargeAt(200, resultOf("Authorised", { amount: undefined }))).toEqual(succeeded);
  expect(await chargeAt(200, resultOf("Authorised", { amount: null, refusalReasonCode: "0" }))).toEqual(
    succeeded,
  );
  expect(
    await chargeAt(200, resultOf("Authorised", { amount: { value: 1_000, currency: "USD" } })),
  ).toMatchObject({ charged: { currency: "USD" } });
});

test("PartiallyAuthorised is what was authorised, and never the whole by default", async () => {
  expect(
    await chargeAt(200, resultOf("PartiallyAuthorised", { amount: { value: 400, currency: "EUR" } })),
  ).toMatchObject({ kind: "succeeded", charged: { amount_minor: 400n } });
  expect(await chargeAt(200, resultOf("PartiallyAuthorised", { amount: undefined }))).toMatchObject({
    kind: "unknown",
  });
});

test("an answer about another payment, with no reference or with no amount of ours proves nothing", async () => {
  for (const fields of [
    { merchantReference: "att_2" },
    { pspReference: undefined },
    { amount: { value: 0.5, currency: "EUR" } },
    { amount: { value: 1, currency: "ZZZ" } },
  ]) {
    expect(await chargeAt(200, resultOf("Authorised", fields))).toMatchObject({ kind: "unknown" });
  }
});

test.each([
  ["2", "Refused", "card_declined", "hard_decline"],
  ["5", "Blocked Card", "blocked_card", "hard_decline"],
  ["6", "Expired Card", "expired_card", "hard_decline"],
  ["12", "Not enough balance", "insufficient_funds", "hard_decline"],
  ["14", "Acquirer Fraud", "fraud_detected", "hard_decline"],
  ["20", "FRAUD", "fraud_detected", "hard_decline"],
  ["24", "CVC Declined", "invalid_cvv", "hard_decline"],
  ["31", "Issuer Suspected Fraud", "fraud_detected", "hard_decline"],
  ["9", "Issuer Unavailable", "issuer_unavailable", "transient_decline"],
  ["4", "Acquirer Error", "acquirer_error", "transient_decline"],
  ["99", "Brand: new-Reason!", "brand_new_reason", "hard_decline"],
])(
  "the refusal reason %s (%s) is our %s, a %s",
  async (refusalReasonCode, refusalReason, code, failureClass) => {
    const failure = { class: failureClass, code, message: refusalReason };
    for (const result of ["Refused", "Error"]) {
      expect(await chargeAt(200, resultOf(result, { refusalReason, refusalReasonCode }))).toEqual({
        kind: "declined",
        psp_reference,
        failure,
        references,
      });
    }
  },
);

test("a refusal without a reason is a declined card", async () => {
  expect(await chargeAt(200, resultOf("Refused"))).toMatchObject({
    failure: { class: "hard_decline", code: "card_declined" },
  });
});

test("Cancelled is a payment that was given up, unless Adyen's own rules cancelled it", async () => {
  expect(await chargeAt(200, resultOf("Cancelled", { refusalReasonCode: "16" }))).toEqual({
    kind: "canceled",
    psp_reference,
    reason: "canceled",
    references,
  });
  expect(
    await chargeAt(200, resultOf("Cancelled", { refusalReasonCode: "22", refusalReason: "FRAUD-CANCELLED" })),
  ).toMatchObject({ kind: "declined", failure: { code: "fraud_detected" } });
});

test.each([
  "Pending",
  "Received",
  "RedirectShopper",
  "IdentifyShopper",
  "ChallengeShopper",
  "PresentToShopper",
])("%s is pending", async (result) => {
  expect(await chargeAt(200, resultOf(result))).toEqual({
    kind: "pending",
    psp_reference,
    next_action: null,
    references,
  });
});

test("a payment that waits for the buyer goes by our reference until Adyen gives its own; of the action only the kind is kept", async () => {
  const action = { type: "threeDS2", paymentMethodType: "scheme", token: "secret", subtype: "challenge" };
  expect(await chargeAt(200, resultOf("ChallengeShopper", { pspReference: undefined, action }))).toEqual({
    kind: "pending",
    psp_reference: "att_1",
    next_action: { type: "threeDS2", redirect_url: null, client_secret: null },
  });
});

test("and keeps to ours if Adyen gives one before the result, which has one of its own", async () => {
  const action = { type: "threeDS2", paymentMethodType: "scheme" };
  expect(await chargeAt(200, resultOf("IdentifyShopper", { action }))).toEqual({
    kind: "pending",
    psp_reference: "att_1",
    next_action: { type: "threeDS2", redirect_url: null, client_secret: null },
  });
});

test.each(["AuthenticationFinished", "AuthenticationNotRequired", "Success", "BrandNew", ""])(
  "the result %j is unknown, never a success",
  async (result) => {
    expect(await chargeAt(200, resultOf(result))).toMatchObject({ kind: "unknown" });
  },
);

const errorOf = (status: number, errorCode: string, errorType = "validation"): unknown => ({
  status,
  errorCode,
  message: "…",
  errorType,
});

test.each([
  [400, errorOf(400, "702"), "invalid_request"],
  [422, errorOf(422, "803"), "invalid_request"],
  [404, "<html>", "invalid_request"],
  [413, "", "invalid_request"],
  [401, errorOf(401, "000", "security"), "unreachable"],
  [403, errorOf(403, "901", "security"), "unreachable"],
  [429, errorOf(429, "0"), "rate_limited"],
])("%i %j was not acted on: %s", async (status, answer, failureClass) => {
  expect(await chargeAt(status, answer)).toMatchObject({
    kind: "not_sent",
    failure: { class: failureClass },
  });
});

test.each([
  [422, errorOf(422, "704")],
  [409, errorOf(409, "704")],
  [409, ""],
])("%i %j: a request with this key runs, and only its result counts", async (status, answer) => {
  expect(await chargeAt(status, answer)).toMatchObject({ kind: "unknown", retry_after_seconds: 1 });
});

test.each([
  [500, errorOf(500, "905", "validation")],
  [503, errorOf(503, "703", "internal")],
  [308, ""],
  [408, ""],
])("%i %j may have been acted on", async (status, answer) => {
  expect(await chargeAt(status, answer)).toMatchObject({ kind: "unknown" });
});

test("what is no JSON object never gets to the library, which would write to the console", async () => {
  const warn = vi.spyOn(console, "warn");
  for (const answer of ["<html>", "ok", "[]", "null"])
    expect(await chargeAt(200, answer)).toMatchObject({
      kind: "unknown",
      reason: "The PSP gave no clear answer (200).",
    });
  expect(warn).not.toHaveBeenCalled();
  warn.mockRestore();
});
