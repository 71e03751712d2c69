import { describe, expect, test } from "vitest";
import {
  bodyOf,
  openAdyen as open,
  reportIn,
  signed,
  type Fields,
} from "../../../test/support/adyen-items.ts";

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
