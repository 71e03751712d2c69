import { describe, expect, test } from "vitest";
import { toCurrencyCode } from "../../money/money.ts";
import type { PspOutcome } from "../../psp/psp.ts";
import type { AttemptOutcome, Decision, DecisionInput } from "./decision.ts";
import { retryPolicies } from "../model/retry-policies.ts";
import { decideReport } from "./state-machine.ts";

const usd = toCurrencyCode("USD");
const succeeded = (psp_reference = "pi_seen", amount_minor = 100n): PspOutcome => ({
  kind: "succeeded",
  psp_reference,
  charged: { amount_minor, currency: usd },
});
const declined: PspOutcome = {
  kind: "declined",
  psp_reference: "pi_seen",
  failure: { class: "transient_decline", code: "card_declined", message: "No." },
};
const notSent: PspOutcome = {
  kind: "not_sent",
  failure: { class: "unreachable", code: "psp_unreachable", message: "No connection." },
};

/** A report about an attempt that a person resolved. */
function decideOn(
  outcome: AttemptOutcome,
  attempt: Pick<DecisionInput["attempt"], "resolved_as" | "status"> & {
    resolution_reference?: string | null;
  },
  source: DecisionInput["source"] = { kind: "charge", is_first_send: true },
): Decision | null {
  const isPaid = attempt.status === "succeeded";
  return decideReport({
    order: {
      status: isPaid ? "SUCCESS" : "UNKNOWN",
      status_cause: "psp_unknown",
      currency: "USD",
      amount_minor: 100n,
      captured_minor: isPaid ? 100n : 0n,
      capturing_minor: 0n,
    },
    attempt: {
      attempt_number: 1,
      inquiry_count: 0,
      amount_minor: 100n,
      capture_method: "automatic",
      failure: null,
      attempt_id: "att_1",
      psp_reference: null,
      page_token: null,
      has_next_action: false,
      failure_code: null,
      authorization_ended_as: null,
      resolution_reference: attempt.resolved_as === "failed" ? null : "pi_seen",
      ...attempt,
    },
    operation: null,
    outcome,
    releases_rest: true,
    can_be_asked: true,
    source,
    policies: retryPolicies({ attempts_max: 5, backoff_base: 2 }),
    random: 0.5,
  });
}

const alarmed = {
  is_unchanged: true,
  alarm: expect.stringContaining("a person resolved the attempt as") as string,
  retry_delay_seconds: null,
};

describe("an attempt that a person resolved as succeeded", () => {
  test.each([
    ["open", "unknown"],
    ["decided", "succeeded"],
  ] as const)(
    "and that is %s is not closed by a refusal or a request that was not sent: no new key follows",
    (_, status) => {
      for (const outcome of [declined, notSent])
        expect(decideOn(outcome, { resolved_as: "succeeded", status })).toMatchObject(alarmed);
    },
  );

  test("raises an alarm when the PSP names another charge or another amount, and none when it says the same", () => {
    const decided = { resolved_as: "succeeded", status: "succeeded" } as const;
    expect(decideOn(succeeded("pi_other"), decided)).toMatchObject(alarmed);
    expect(decideOn(succeeded("pi_seen", 99n), decided)).toMatchObject(alarmed);
    expect(decideOn(succeeded(), decided)).toBeNull();
  });

  test("is booked by the resolution itself", () => {
    expect(
      decideOn(succeeded(), { resolved_as: "succeeded", status: "unknown" }, { kind: "resolution" }),
    ).toMatchObject({ order_status: "SUCCESS", captures_minor: 100n, alarm: null });
  });
});

describe("an attempt that a person resolved as failed", () => {
  test("and that is decided stays so when the PSP reports a success, with an alarm", () => {
    expect(decideOn(succeeded("pi_late"), { resolved_as: "failed", status: "declined" })).toMatchObject({
      ...alarmed,
      captures_minor: 0n,
    });
  });

  test("and that is still open is paid when the PSP reports a success, with an alarm", () => {
    expect(decideOn(succeeded("pi_late"), { resolved_as: "failed", status: "unknown" })).toMatchObject({
      order_status: "SUCCESS",
      captures_minor: 100n,
      alarm: expect.stringContaining("a person resolved") as string,
    });
  });

  test("and that the PSP shows as waiting for the buyer raises an alarm while it is open", () => {
    const waiting: PspOutcome = { kind: "pending", psp_reference: "pi_late", next_action: null };
    expect(decideOn(waiting, { resolved_as: "failed", status: "unknown" })).toMatchObject({
      order_status: "PENDING",
      alarm_kind: "discrepancy",
      alarm: expect.stringContaining("may still be made") as string,
    });
    const unnamed: PspOutcome = { ...waiting, psp_reference: null };
    expect(decideOn(unnamed, { resolved_as: "failed", status: "unknown" })).toMatchObject({ alarm: null });
    expect(decideOn(waiting, { resolved_as: "failed", status: "declined" })).toBeNull();
  });

  test("ends in FAILED without a retry of its own", () => {
    const outcome: PspOutcome = {
      kind: "declined",
      psp_reference: null,
      failure: { class: "hard_decline", code: "resolved_by_person", message: "Seen." },
    };
    expect(
      decideOn(outcome, { resolved_as: "failed", status: "unknown" }, { kind: "resolution" }),
    ).toMatchObject({ order_status: "FAILED", retry_delay_seconds: null, alarm: null });
  });
});
