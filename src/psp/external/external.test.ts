import { expect, test } from "vitest";
import { attemptId, operationId } from "../../ids.ts";
import { toCurrencyCode } from "../../money/money.ts";
import { createExternal } from "./external.ts";

const cash = createExternal({ name: "cash", webhook_secrets: [], overdue_seconds: 60 });
const about = {
  attempt_id: attemptId("att_1"),
  psp_key: "att_1",
  psp_reference: null,
  page_token: null,
  money: { amount_minor: 2_999n, currency: toCurrencyCode("USD") },
};

test("a card is refused as surely not charged, and nothing can be captured", async () => {
  const charge = {
    ...about,
    checkout_id: "c",
    payment_order_id: "o",
    card_token: "tok_visa",
    capture_method: "automatic" as const,
    return_url: null,
  };
  expect(await cash.charge(charge)).toMatchObject({
    kind: "not_sent",
    no_call_made: true,
    failure: { class: "invalid_request", code: "external_account" },
  });
  const change = {
    ...about,
    operation_id: operationId("op_1"),
    captured_before_minor: 0n,
    is_final: true,
    turn: "first_send" as const,
  };
  expect(await cash.operate({ ...change, kind: "capture" })).toMatchObject({ kind: "failed" });
  expect(await cash.operate({ ...change, kind: "void" })).toEqual({ kind: "done", psp_reference: null });
});

test("an attempt waits, with the reference that was reported for it", async () => {
  expect(await cash.inquire(about)).toEqual({ kind: "pending", psp_reference: null, next_action: null });
  expect(await cash.inquire({ ...about, psp_reference: "receipt-1" })).toEqual({
    kind: "pending",
    psp_reference: "receipt-1",
    next_action: null,
  });
});

test("without a secret every message is refused, and what is no event is told apart from what is one", () => {
  const headers = {
    "webhook-id": "1",
    "webhook-timestamp": String(Math.floor(Date.now() / 1_000)),
    "webhook-signature": "v1,",
  };
  expect(cash.verifyWebhook(Buffer.from("{}"), headers)).toBeUndefined();
  expect(() => cash.readWebhook("{}", "automatic")).toThrow(
    expect.objectContaining({ code: "invalid_request", param: "payment_order_id" }),
  );
});
