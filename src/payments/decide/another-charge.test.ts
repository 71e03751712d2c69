import { describe, expect, test } from "vitest";
import type { PspOutcome } from "../../psp/psp.ts";
import { decideOn, usd } from "../../../test/support/charge-decisions.ts";
import { learntReference, namesAnotherCharge } from "./another-charge.ts";

const attempt = {
  attempt_id: "att_1",
  page_token: "cs_1",
  psp_reference: null,
  resolved_as: null,
  resolution_reference: null,
} as const;
const pending = (psp_reference: string | null): PspOutcome => ({ kind: "pending", psp_reference });
const money = { amount_minor: 2_999n, currency: usd };
const success = (psp_reference: string, changes: { capture_reference?: string } = {}): PspOutcome => ({
  kind: "succeeded",
  psp_reference,
  charged: money,
  ...changes,
});

describe("the reference of a charge", () => {
  test.each([
    ["is learnt with the first report of it", null, pending("pi_1"), "pi_1"],
    ["takes the place of its page's token", "cs_1", success("pi_1"), "pi_1"],
    ["takes the place of our own id", "att_1", success("psp_1"), "psp_1"],
    ["does not give way to the page's token, in a late report", "pi_1", pending("cs_1"), null],
    ["is not that of its capture", null, success("cap_1", { capture_reference: "cap_1" }), null],
  ])("%s", (_what, psp_reference, outcome, learnt) => {
    const known = { ...attempt, psp_reference };
    expect(namesAnotherCharge(known, outcome)).toBe(false);
    expect(learntReference(known, outcome, false)).toBe(learnt);
  });

  test("that differs from the attempt's own names another charge, unless a person has seen that one", () => {
    const known = { ...attempt, psp_reference: "pi_1" };
    expect(namesAnotherCharge(known, success("pi_2"))).toBe(true);
    expect(learntReference(known, success("pi_2"), false)).toBeNull();
    expect(learntReference(known, success("pi_2"), true)).toBe("pi_2");
    const seen = { ...known, resolved_as: "succeeded", resolution_reference: "pi_2" } as const;
    expect(namesAnotherCharge(seen, success("pi_2"))).toBe(false);
    expect(namesAnotherCharge(seen, success("pi_3"))).toBe(true);
  });
});

test("the failed capture of another payment does not undo this one", () => {
  const paid = {
    order: { status: "SUCCESS", captured_minor: 2_999n },
    attempt: { status: "succeeded", psp_reference: "psp_1" },
  } as const;
  const failed = {
    kind: "capture_failed",
    capture_reference: "cap_1",
    money,
    failure: { class: "hard_decline", code: "capture_failed", message: "No." },
  } as const;
  expect(decideOn({ ...failed, psp_reference: "psp_2" }, paid)).toMatchObject({
    is_unchanged: true,
    undoes_minor: 0n,
    alarm: expect.stringContaining("psp_2") as string,
  });
  expect(decideOn({ ...failed, psp_reference: "psp_1" }, paid)).toMatchObject({ undoes_minor: 2_999n });
});

test("a charge that a person took for failed is not booked when the PSP reports another one", () => {
  const resolved = {
    attempt: { status: "unknown", psp_reference: "pi_1", resolved_as: "failed" },
    order: { status: "UNKNOWN" },
  } as const;
  expect(decideOn(success("pi_2"), resolved)).toMatchObject({
    is_unchanged: true,
    captures_minor: 0n,
    alarm: expect.stringContaining("pi_2") as string,
  });
  expect(decideOn(success("pi_1"), resolved)).toMatchObject({ captures_minor: 2_999n });
});
