import { describe, expect, test } from "vitest";
import { toCurrencyCode, type Money } from "../../src/money/money.ts";
import { paid, someReferences, someText, type Subject } from "./subject.ts";

const hardDeclines: readonly (readonly [card: string, code: string])[] = [
  ["card_declined", "card_declined"],
  ["insufficient_funds", "insufficient_funds"],
  ["expired_card", "expired_card"],
  ["invalid_cvv", "invalid_cvv"],
  ["fraud_detected", "fraud_detected"],
];

const declinedWith = (failureClass: string, code: string): unknown => ({
  kind: "declined",
  psp_reference: someText,
  failure: { class: failureClass, code, message: someText },
  references: someReferences,
});

export function describeCharges(subject: Subject): void {
  const { profile } = subject;

  describe("a charge", () => {
    test.each(["visa_4242", "mastercard", "amex"])(
      "by %s is paid once, and the outcome says what was charged",
      async (card) => {
        const charge = subject.request(card);
        expect(await subject.psp.charge(charge)).toEqual(paid);
        expect(await subject.chargeCount(charge)).toBe(1);
      },
    );

    const declines = [...hardDeclines, ...profile.hard_declines];
    test.each(declines)(
      "by %s is a hard decline with our code %s, and nothing is charged",
      async (card, code) => {
        const charge = subject.request(card);
        expect(await subject.psp.charge(charge)).toEqual(declinedWith("hard_decline", code));
        expect(await subject.chargeCount(charge)).toBe(0);
      },
    );

    test("that failed at the PSP for a moment is a transient decline", async () => {
      const charge = subject.request("chargeDeclinedProcessingError");
      expect(await subject.psp.charge(charge)).toEqual(
        declinedWith("transient_decline", profile.transient_decline_code),
      );
      expect(await subject.chargeCount(charge)).toBe(0);
    });

    test("that waits for the buyer is pending, and tells what kind of step it is", async () => {
      const charge = subject.request("authenticationRequired");
      const type: unknown = expect.any(String);
      expect(await subject.psp.charge(charge)).toMatchObject({
        kind: "pending",
        psp_reference: someText,
        next_action: { type },
      });
      expect(await subject.chargeCount(charge)).toBe(0);
    });

    test("by a card that the PSP does not know is a request that it did not accept", async () => {
      const outcome = await subject.psp.charge(subject.request("nobody"));
      expect(outcome).toMatchObject({ kind: "not_sent", failure: { class: "invalid_request" } });
    });

    test("carries ids of 255 characters without harm", async () => {
      const charge = subject.request("visa_4242", {
        checkout_id: "c".repeat(255),
        payment_order_id: "ö".repeat(255),
      });
      expect(await subject.psp.charge(charge)).toEqual(paid);
    });
  });

  describe("an amount", () => {
    test.each(profile.amounts)(
      "of %s minor units of %s is charged as that: %i at the PSP",
      async (amount_minor, currency, at_psp) => {
        const money: Money = { amount_minor, currency: toCurrencyCode(currency) };
        const charge = subject.request("visa_4242", { money });
        expect(await subject.psp.charge(charge)).toEqual({ ...paid, charged: money });
        const charges = await subject.bench.chargesOf(charge.payment_order_id ?? "");
        expect(charges.map((one) => [one.amount_minor, one.currency.toUpperCase()])).toEqual([
          [at_psp, currency],
        ]);
      },
    );

    test.each(profile.amounts_not_supported)(
      "of %s minor units of %s, which cannot be exact, is not sent",
      async (amount_minor, currency) => {
        const charge = subject.request("visa_4242", {
          money: { amount_minor, currency: toCurrencyCode(currency) },
        });
        const failure = { class: "invalid_request", code: "amount_not_supported", message: someText };
        expect(await subject.psp.charge(charge)).toEqual({ kind: "not_sent", failure, no_call_made: true });
        expect(await subject.chargeCount(charge)).toBe(0);
      },
    );
  });

  describe("one key", () => {
    test.each(["visa_4242", "insufficient_funds", "authenticationRequired"])(
      "gives the same outcome again: %s",
      async (card) => {
        const charge = subject.request(card);
        const first = await subject.psp.charge(charge);
        expect(await subject.psp.charge(charge)).toEqual(first);
        expect(await subject.bench.open().charge(charge)).toEqual(first);
        expect(await subject.chargeCount(charge)).toBe(card === "visa_4242" ? 1 : 0);
      },
    );

    test("charges once when it is used many times at once; who comes too early is told to come again", async () => {
      const charge = subject.request("visa_4242");
      const outcomes = await Promise.all(Array.from({ length: 8 }, () => subject.psp.charge(charge)));
      const repeated = await subject.psp.charge(charge);
      expect(repeated).toEqual(paid);
      const early = { kind: "unknown", reason: someText, retry_after_seconds: 1 };
      for (const outcome of outcomes) expect(outcome).toEqual(outcome.kind === "unknown" ? early : repeated);
      expect(await subject.chargeCount(charge)).toBe(1);
    });

    const momentary = [
      ["fault_once_500", "unknown"],
      ["fault_once_processing_error", "declined"],
    ] as const;
    test.each(momentary)("of a new attempt gets past %s", async (card, first) => {
      const failed = subject.request(card);
      expect((await subject.psp.charge(failed)).kind).toBe(first);
      expect(
        await subject.psp.charge(subject.request(card, { payment_order_id: failed.payment_order_id })),
      ).toEqual(paid);
    });
  });

  test("an inquiry tells the outcome of the charge, or that only repetition can", async () => {
    const charge = subject.request("visa_4242");
    const outcome = await subject.psp.charge(charge);
    const expected = profile.inquiry === "succeeded" ? outcome : { kind: "not_found" };
    expect(
      await subject.inquire(charge, outcome.kind === "succeeded" ? outcome.psp_reference : null),
    ).toEqual(expected);
    expect(await subject.inquire(charge)).toEqual(expected);
    expect(await subject.inquire(subject.request("visa_4242"))).toEqual({ kind: "not_found" });
    expect(await subject.chargeCount(charge)).toBe(1);
  });
}
