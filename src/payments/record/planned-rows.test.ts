import { expect, test } from "vitest";
import { TestClock } from "../../../test/support/test-clock.ts";
import type { PspOutcome } from "../../psp/psp.ts";
import { createSealing } from "../../sealing.ts";
import { storedActionOf } from "./planned-rows.ts";

const sealing = createSealing("k".repeat(32), "test");
const clock = new TestClock("2026-11-27T12:00:00Z");
const limits = { clock, sealing, buyer_action_seconds: 60 };
const next_action = {
  type: "redirect_to_url",
  redirect_url: "https://bank.example/3ds",
  client_secret: null,
};
const confirming = { kind: "pending", psp_reference: "pi_1", next_action } as const;
const nothing = { next_action: null, next_action_expires_at: null, keeps_next_action: false };
const unknown: PspOutcome = { kind: "unknown", reason: "No answer." };

test("a buyer's step is stored sealed, with the end of the buyer's time", () => {
  const stored = storedActionOf(confirming, { attempt_status: "pending" }, limits);
  expect(stored).toMatchObject({ next_action_expires_at: "2026-11-27T12:01:00.000Z" });
  expect(stored.next_action).not.toContain("bank.example");
  expect(JSON.parse(sealing.open(stored.next_action ?? "") ?? "")).toEqual(next_action);
});

test("a late step of an attempt that is no longer pending is not stored, nor an earlier one kept", () => {
  for (const attempt_status of ["succeeded", "declined", "canceled", "unknown"] as const) {
    expect(storedActionOf(confirming, { attempt_status }, limits)).toEqual(nothing);
  }
  expect(storedActionOf({ ...confirming, next_action: null }, { attempt_status: "pending" }, limits)).toEqual(
    nothing,
  );
});

test("a report that tells no step keeps the one of an open attempt, and removes that of a closed one", () => {
  const { kind, psp_reference } = confirming;
  for (const outcome of [unknown, { kind, psp_reference }] as const) {
    for (const attempt_status of ["pending", "unknown"] as const) {
      expect(storedActionOf(outcome, { attempt_status }, limits)).toEqual({
        ...nothing,
        keeps_next_action: true,
      });
    }
    for (const attempt_status of ["succeeded", "declined", "canceled"] as const) {
      expect(storedActionOf(outcome, { attempt_status }, limits)).toEqual(nothing);
    }
  }
});
