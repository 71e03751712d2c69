import { describe, expect, test } from "vitest";
import { toCurrencyCode, type Money } from "../../money/money.ts";
import type { Failure } from "../../psp/psp.ts";
import type { AttemptOutcome } from "../decide/decision.ts";
import { storableOutcome } from "./storable-outcome.ts";

const usd = (amount_minor: bigint): Money => ({ amount_minor, currency: toCurrencyCode("USD") });
const failureOf = (code: string, message: string): Failure => ({ class: "transient_decline", code, message });

/** Each kind of outcome with this id and these texts. */
function outcomesWith(psp_reference: string, code: string, message: string): AttemptOutcome[] {
  const failure = failureOf(code, message);
  return [
    { kind: "succeeded", psp_reference, charged: usd(1n) },
    { kind: "authorized", psp_reference, authorized: usd(1n), captured: usd(0n), expires_at: null },
    { kind: "accepted", psp_reference },
    { kind: "pending", psp_reference, next_action: null },
    { kind: "canceled", psp_reference, reason: "expired" },
    { kind: "done", psp_reference },
    { kind: "declined", psp_reference, failure },
    { kind: "capture_failed", psp_reference, capture_reference: "cap_1", money: usd(1n), failure },
    { kind: "failed", failure },
    { kind: "not_sent", failure },
    { kind: "unknown", reason: message },
  ];
}

describe("an outcome", () => {
  test("in texts that can be stored stays as it is, at every limit", () => {
    for (const psp_reference of ["p", "p".repeat(255), "\u{1F4B8}".repeat(255)]) {
      for (const outcome of outcomesWith(psp_reference, "c".repeat(64), "m".repeat(500)))
        expect(storableOutcome(outcome)).toEqual(outcome);
    }
  });

  test.each(["", "p".repeat(256), "\u{1F4B8}".repeat(256), "p\0", "p\ud800", "p".repeat(1_000_000)])(
    "under an id that cannot be stored is another one, or names none (case %#)",
    (psp_reference) => {
      const kept = outcomesWith(psp_reference, "code", "Why.").map(storableOutcome);
      expect(kept.slice(0, 3).map(({ kind }) => kind)).toEqual(["unknown", "unknown", "unknown"]);
      const named = kept.map((outcome) =>
        "psp_reference" in outcome ? (outcome.psp_reference ?? null) : null,
      );
      expect(new Set(named)).toEqual(new Set([null]));
    },
  );

  test.each([
    ["c".repeat(65), "m".repeat(501), "c".repeat(64), "m".repeat(500)],
    ["", "", "transient_decline", ""],
    ["a\0", "\ud800b", "a\uFFFD", "\uFFFDb"],
    // A cut between the two halves of a character.
    [`${"c".repeat(63)}\u{1F4B8}`, "", `${"c".repeat(63)}\uFFFD`, ""],
  ])("has a reason that can be stored (case %#)", (code, message, kept_code, kept_message) => {
    for (const outcome of outcomesWith("pi_1", code, message).map(storableOutcome)) {
      if ("failure" in outcome) expect(outcome.failure).toEqual(failureOf(kept_code, kept_message));
      if (outcome.kind === "unknown") expect(outcome.reason).toBe(kept_message);
    }
  });
});
