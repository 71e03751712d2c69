import { hmacValidator } from "@adyen/api-library";
import { describe, expect, test } from "vitest";
import type { Psp } from "../port.ts";
import { createAdyen } from "./adyen.ts";

const keys = ["A1".repeat(32), "b2".repeat(32)] as const;
const open = (webhook_secrets: readonly string[] = keys): Psp =>
  createAdyen({
    name: "adyen",
    secret_key: "key",
    merchant_account: "Shop",
    has_multiple_partial_captures: true,
    webhook_secrets,
    return_url: "https://shop.example/return",
    timeout_ms: 1_000,
    connections_max: 1,
  });

type Fields = Record<string, unknown>;
const genuineItem: Fields = {
  additionalData: { "metadata.payment_order_id": "order-1" },
  amount: { value: 1_999, currency: "USD" },
  eventCode: "AUTHORISATION",
  eventDate: "2026-01-01T12:00:00+01:00",
  merchantAccountCode: "Shop",
  merchantReference: "att_1",
  operations: ["CANCEL", "CAPTURE", "REFUND"],
  paymentMethod: "visa",
  pspReference: "8835551234567890",
  reason: "012345:1111:12/2034",
  success: "true",
};
const bodyOf = (...items: readonly Fields[]): string =>
  JSON.stringify({
    live: "false",
    notificationItems: items.map((item) => ({ NotificationRequestItem: item })),
  });
/** The item signed by Adyen's library. */
function signed(changes: Fields = {}, key: string = keys[1]): Fields {
  const item = { ...genuineItem, ...changes };
  const hmacSignature = new hmacValidator().calculateHmac(item as never, key);
  return { ...item, additionalData: { ...(genuineItem["additionalData"] as Fields), hmacSignature } };
}
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

const reportIn = (changes: Fields): unknown => open().readWebhook(bodyOf(signed(changes)), "automatic");

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

describe("CAPTURE, CAPTURE_FAILED and CANCELLATION", () => {
  const ofChange = (changes: Fields): unknown => open().readWebhook(bodyOf(signed(changes)), "manual");
  const done = { kind: "done", psp_reference: "8835551234567890" };

  test.each([
    ["CAPTURE", "capture"],
    ["CAPTURE_FAILED", "capture"],
    ["CANCELLATION", "void"],
  ])("%s gives the ids of the payment and of the %s", (eventCode, type) => {
    const originalReference = "8835550000000001";
    const payment = { type: "payment", reference: originalReference };
    expect(ofChange({ eventCode, originalReference })).toMatchObject({
      outcome: { references: [payment, { type, reference: "8835551234567890" }] },
      // What a person did there has no operation of ours that its id could stand for.
      otherwise: { outcome: { references: [payment] } },
    });
  });

  test.each(["CAPTURE", "CANCELLATION"])(
    "%s with our reference tells of our change, whether it was done",
    (eventCode) => {
      const merchantReference = "op_01m8bmvh3qejbahs39tgs44vc2";
      expect(ofChange({ eventCode, merchantReference })).toMatchObject({
        operation_id: merchantReference,
        operation_reference: "8835551234567890",
        outcome: done,
      });
      expect(
        ofChange({
          eventCode,
          merchantReference,
          success: "false",
          reason: "Insufficient balance on payment",
        }),
      ).toMatchObject({
        operation_id: merchantReference,
        outcome: {
          kind: "failed",
          failure: { class: "hard_decline", message: "Insufficient balance on payment" },
        },
      });
    },
  );

  test("a capture that fails after it was accepted is failed, whatever the event says of itself", () => {
    for (const success of ["true", "false"]) {
      expect(ofChange({ eventCode: "CAPTURE_FAILED", merchantReference: "op_1", success })).toMatchObject({
        operation_id: "op_1",
        outcome: {
          kind: "failed",
          failure: { code: "capture_failed" },
          capture_reference: "8835551234567890",
        },
      });
    }
  });

  test("without it they are found by Adyen's own reference, and else were made by a person there", () => {
    expect(ofChange({ eventCode: "CAPTURE" })).toMatchObject({
      operation_id: null,
      operation_reference: "8835551234567890",
      outcome: done,
      otherwise: { attempt_id: "att_1", outcome: { kind: "unknown" } },
    });
    expect(ofChange({ eventCode: "CANCELLATION" })).toMatchObject({
      operation_id: null,
      otherwise: { attempt_id: "att_1", outcome: { kind: "canceled", reason: "canceled" } },
    });
    expect(ofChange({ eventCode: "CAPTURE", success: "false" })).toMatchObject({ otherwise: null });
    expect(ofChange({ eventCode: "CAPTURE_FAILED" })).toMatchObject({
      otherwise: { attempt_id: "att_1", outcome: { kind: "unknown" } },
    });
  });

  test("of what is captured at once tell of the capture that follows by itself", () => {
    const own = (changes: Fields): unknown => {
      const read = reportIn(changes);
      return typeof read === "object" && read !== null && "otherwise" in read ? read.otherwise : read;
    };
    const failedCapture = {
      kind: "capture_failed",
      capture_reference: "8835551234567890",
      failure: { class: "hard_decline", code: "capture_failed" },
    };
    expect(own({ eventCode: "CAPTURE_FAILED" })).toMatchObject({
      attempt_id: "att_1",
      outcome: failedCapture,
    });
    expect(own({ eventCode: "CAPTURE", originalReference: "8835550000000001" })).toMatchObject({
      attempt_id: "att_1",
      outcome: {
        kind: "succeeded",
        psp_reference: "8835550000000001",
        capture_reference: "8835551234567890",
      },
    });
    expect(own({ eventCode: "CAPTURE", success: "false", reason: "No" })).toMatchObject({
      outcome: { kind: "unknown" },
    });
    expect(own({ eventCode: "CAPTURE_FAILED", merchantReference: "somebody-elses" })).toMatchObject({
      attempt_id: null,
    });
  });

  test("name the payment that they are of, where Adyen does: it may be another one of the attempt", () => {
    const originalReference = "8835550000000001";
    const named = { outcome: { psp_reference: originalReference } };
    expect(ofChange({ eventCode: "CANCELLATION", originalReference })).toMatchObject({ otherwise: named });
    expect(ofChange({ eventCode: "EXPIRE", originalReference })).toMatchObject(named);
    expect(reportIn({ eventCode: "CAPTURE_FAILED", originalReference })).toMatchObject({ otherwise: named });
    expect(ofChange({ eventCode: "EXPIRE", originalReference: "" })).toMatchObject({
      outcome: { psp_reference: null },
    });
  });

  test("EXPIRE ends an authorisation", () => {
    expect(ofChange({ eventCode: "EXPIRE" })).toMatchObject({
      attempt_id: "att_1",
      outcome: { kind: "canceled", reason: "expired" },
    });
  });
});
