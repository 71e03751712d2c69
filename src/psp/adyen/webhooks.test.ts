import { expect, test } from "vitest";
import {
  bodyOf,
  genuineItem,
  keys,
  openAdyen as open,
  reportIn,
  signed,
  type Fields,
} from "../../../test/support/adyen-items.ts";

const verify = (body: string, psp = open()): unknown => psp.verifyWebhook(Buffer.from(body), {});
const verified = {
  psp_event_id: "AUTHORISATION:8835551234567890:true",
  type: "AUTHORISATION",
  attempt_id: "att_1",
  payment_order_id: null,
};

test.each(keys)("an item signed with %s is genuine while both keys are in use", (key) => {
  expect(verify(bodyOf(signed({}, key)))).toEqual(verified);
});

test("what is forged, changed in what is signed, unsigned, several or no item at all is refused", () => {
  const good = signed();
  const refused: [string, unknown][] = [
    ["another key", verify(bodyOf(signed({}, "c3".repeat(32))))],
    ["no keys", verify(bodyOf(good), open([]))],
    ["another amount", verify(bodyOf({ ...good, amount: { value: 1_998, currency: "USD" } }))],
    ["another currency", verify(bodyOf({ ...good, amount: { value: 1_999, currency: "EUR" } }))],
    ["another result", verify(bodyOf({ ...good, success: "false" }))],
    ["another event", verify(bodyOf({ ...good, eventCode: "REFUND" }))],
    ["another attempt", verify(bodyOf({ ...good, merchantReference: "att_2" }))],
    ["another payment", verify(bodyOf({ ...good, pspReference: "8835551234567891" }))],
    ["another account", verify(bodyOf({ ...good, merchantAccountCode: "Shop2" }))],
    ["an original payment", verify(bodyOf({ ...good, originalReference: "8835551234567891" }))],
    ["no signature", verify(bodyOf(genuineItem))],
    ["an empty signature", verify(bodyOf({ ...good, additionalData: { hmacSignature: "" } }))],
    ["nonsense", verify(bodyOf({ ...good, additionalData: { hmacSignature: "zz" } }))],
    ["a text for the amount", verify(bodyOf(signed({ amount: { value: "1999", currency: "USD" } })))],
    ["a list for the reference", verify(bodyOf(signed({ merchantReference: ["att_1"] })))],
    ["a result that is no text", verify(bodyOf(signed({ success: true })))],
    ["no amount", verify(bodyOf({ ...good, amount: undefined }))],
    ["two items", verify(bodyOf(good, signed({ merchantReference: "att_2" })))],
    ["no items", verify(bodyOf())],
    ["no JSON", verify("{")],
    ["not text", open().verifyWebhook(Buffer.from([0xff, 0xfe]), {})],
  ];
  expect(refused.filter(([, result]) => result !== undefined)).toEqual([]);
});

test("what is not signed names nobody: the attempt comes from our reference alone", () => {
  const other = {
    ...signed(),
    reason: "changed",
    additionalData: { ...(signed()["additionalData"] as Fields), "metadata.payment_order_id": "order-2" },
  };
  expect(verify(bodyOf(other))).toEqual(verified);
});

test("a reference that is none of ours, and fields that a colon could shift, name no attempt", () => {
  for (const changes of [
    { merchantReference: "order 17" },
    { merchantReference: "" },
    { merchantReference: "att_1:2" },
    { merchantAccountCode: "Shop:att_1" },
    { originalReference: "1:2" },
  ]) {
    expect(verify(bodyOf(signed(changes)))).toMatchObject({ attempt_id: null });
  }
});

test("the id of an event is the same for its repetition only", () => {
  const idOf = (changes: Fields): unknown =>
    open().verifyWebhook(Buffer.from(bodyOf(signed(changes))), {})?.psp_event_id;
  expect(idOf({ eventDate: "2026-01-02T12:00:00+01:00" })).toBe(idOf({}));
  const ids = [{}, { success: "false" }, { eventCode: "CAPTURE" }, { pspReference: "8835551234567891" }].map(
    idOf,
  );
  expect(new Set(ids).size).toBe(4);
});

test("AUTHORISATION is read as what became of the charge", () => {
  expect(reportIn({})).toEqual({
    attempt_id: "att_1",
    payment_order_id: null,
    outcome: {
      kind: "succeeded",
      psp_reference: "8835551234567890",
      charged: { amount_minor: 1_999n, currency: "USD" },
      references: [{ type: "payment", reference: "8835551234567890" }],
    },
  });
  expect(reportIn({ success: "false", reason: "Not enough balance" })).toMatchObject({
    outcome: {
      kind: "declined",
      psp_reference: "8835551234567890",
      failure: { class: "hard_decline", code: "insufficient_funds", message: "Not enough balance" },
    },
  });
  expect(reportIn({ success: "false", reason: "ISSUER UNAVAILABLE" })).toMatchObject({
    outcome: { failure: { class: "transient_decline", code: "issuer_unavailable" } },
  });
  expect(reportIn({ success: "false", reason: null })).toMatchObject({
    outcome: { failure: { class: "hard_decline", code: "card_declined" } },
  });
  expect(reportIn({ amount: { value: 500, currency: "ISK" } })).toMatchObject({
    outcome: { charged: { amount_minor: 5n, currency: "ISK" } },
  });
});

test("an amount that is none of ours is unknown, never a success", () => {
  for (const amount of [
    { value: 550, currency: "ISK" },
    { value: 1, currency: "ZZZ" },
    { value: 0.5, currency: "USD" },
  ]) {
    expect(reportIn({ amount })).toMatchObject({ outcome: { kind: "unknown" } });
  }
});

test.each(["EXPIRE", "OFFER_CLOSED", "ORDER_OPENED", "BRAND_NEW"])(
  "%s says nothing about what was captured at once",
  (eventCode) => {
    expect(reportIn({ eventCode })).toBeNull();
  },
);

test.each([
  "REFUND",
  "REFUND_FAILED",
  "REFUNDED_REVERSED",
  "CANCEL_OR_REFUND",
  "CHARGEBACK",
  "SECOND_CHARGEBACK",
  "NOTIFICATION_OF_CHARGEBACK",
  "NOTIFICATION_OF_FRAUD",
  "DISPUTE_DEFENSE_PERIOD_ENDED",
  "REQUEST_FOR_INFORMATION",
  "PAYOUT_THIRDPARTY",
  "REPORT_AVAILABLE",
])("%s is kept for a version that applies it", (eventCode) => {
  expect(reportIn({ eventCode })).toBe("unsupported");
});

test.each([
  ["pspReference", "8".repeat(300)],
  ["pspReference", "8\u0000"],
  ["eventCode", "X".repeat(129)],
  ["eventCode", ""],
])("a genuine item whose %s cannot be kept is refused as what it is", (param, value) => {
  expect(() => verify(bodyOf(signed({ [param]: value })))).toThrow(
    expect.objectContaining({ code: "invalid_request", param }),
  );
});

test("a byte-order mark before a genuine item is refused, and a reference of 80 characters is none of ours", () => {
  expect(verify(`\ufeff${bodyOf(signed())}`)).toBeUndefined();
  expect(verify(bodyOf(signed({ merchantReference: `att_${"1".repeat(76)}` })))).toMatchObject({
    attempt_id: null,
  });
});
