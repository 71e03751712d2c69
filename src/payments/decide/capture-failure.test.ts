import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { toCurrencyCode } from "../../money/money.ts";
import type { Failure, PspOutcome } from "../../psp/psp.ts";
import { capture } from "../../../test/support/operation-decisions.ts";
import type { AttemptOutcome, DecidableOperation, Decision, DecisionInput } from "./decision.ts";
import { retryPolicies } from "../model/retry-policies.ts";
import { decideReport } from "./state-machine.ts";

const currency = toCurrencyCode("USD");
const failure: Failure = { class: "hard_decline", code: "capture_failed", message: "The scheme refused it." };
const captureFailed = (amount_minor = 100n): PspOutcome => ({
  kind: "capture_failed",
  capture_reference: "cap_1",
  money: { amount_minor, currency },
  failure,
});
const succeeded: PspOutcome = {
  kind: "succeeded",
  psp_reference: "psp_1",
  charged: { amount_minor: 100n, currency },
};
const alarm = expect.stringContaining("its money will not come") as string;

type Facts = {
  order?: Partial<DecisionInput["order"]>;
  attempt?: Partial<DecisionInput["attempt"]>;
  operation?: DecidableOperation;
};

/** A webhook about an order of 100 that is paid, where nothing else is said. */
function decideOn(outcome: AttemptOutcome, { order, attempt, operation }: Facts = {}): Decision | null {
  return decideReport({
    order: {
      status: "SUCCESS",
      status_cause: "psp_succeeded",
      currency: "USD",
      amount_minor: 100n,
      captured_minor: 100n,
      capturing_minor: 0n,
      ...order,
    },
    attempt: {
      status: "succeeded",
      attempt_number: 1,
      inquiry_count: 0,
      amount_minor: 100n,
      capture_method: "automatic",
      failure: null,
      attempt_id: "att_1",
      psp_reference: "psp_1",
      page_token: null,
      has_next_action: false,
      failure_code: null,
      authorization_ended_as: null,
      resolved_as: null,
      resolution_reference: null,
      ...attempt,
    },
    operation: operation ?? null,
    outcome,
    releases_rest: true,
    can_be_asked: true,
    source: { kind: "webhook" },
    policies: retryPolicies({ attempts_max: 5, backoff_base: 2 }),
    random: 0.5,
  });
}

describe("a capture that follows by itself and fails", () => {
  test("undoes a paid order: FAILED, without a retry of its own", () => {
    expect(decideOn(captureFailed())).toMatchObject({
      order_status: "FAILED",
      attempt_status: "declined",
      cause: "capture_failed",
      undoes_minor: 100n,
      captures_minor: 0n,
      retry_delay_seconds: null,
      error: { code: "capture_failed" },
      alarm,
    });
  });

  test.each(["executing", "pending", "unknown"] as const)(
    "closes an attempt that is still %s, with nothing to undo",
    (status) => {
      const order = { status: "UNKNOWN", captured_minor: 0n } as const;
      expect(decideOn(captureFailed(), { order, attempt: { status } })).toMatchObject({
        order_status: "FAILED",
        undoes_minor: 0n,
        alarm,
      });
    },
  );

  test("of another amount than the attempt's is a case for a person", () => {
    expect(decideOn(captureFailed(99n))).toMatchObject({
      is_unchanged: true,
      undoes_minor: 0n,
      alarm: expect.any(String) as string,
    });
  });

  test("and is known already, or of which nothing was booked, changes nothing", () => {
    for (const status of ["declined", "not_sent", "canceled"] as const) {
      expect(
        decideOn(captureFailed(), {
          order: { status: "FAILED", captured_minor: 0n },
          attempt: { status, failure },
        }),
      ).toBeNull();
    }
  });

  test("outweighs an older report of a success, but not a capture that is reported for itself", () => {
    const known = {
      order: { status: "FAILED", captured_minor: 0n },
      attempt: { status: "declined", failure },
    } as const;
    expect(decideOn(succeeded, known)).toBeNull();
    expect(decideOn({ ...succeeded, capture_reference: "cap_2" }, known)).toMatchObject({
      is_unchanged: true,
      alarm: expect.any(String) as string,
    });
  });
});

describe("a capture that was asked for, booked, and fails", () => {
  const booked = (amount_minor: bigint, changes: Partial<DecidableOperation> = {}): DecidableOperation =>
    capture(amount_minor, { status: "succeeded", psp_reference: "cap_1", ...changes });
  const failed: AttemptOutcome = { kind: "failed", failure, capture_reference: "cap_1" };
  const manual = { capture_method: "manual" } as const;

  test("leaves a paid order its other captures, and releases what the ledger holds again", () => {
    expect(
      decideOn(failed, { attempt: manual, order: { captured_minor: 70n }, operation: booked(30n) }),
    ).toMatchObject({
      order_status: "SUCCESS",
      attempt_status: "succeeded",
      undoes_minor: 30n,
      releases_minor: 30n,
      error: null,
      operation: { status: "failed" },
      alarm,
    });
  });

  test("as the only one makes a paid order FAILED", () => {
    expect(
      decideOn(failed, { attempt: manual, order: { captured_minor: 30n }, operation: booked(30n) }),
    ).toMatchObject({
      order_status: "FAILED",
      attempt_status: "declined",
      undoes_minor: 30n,
      releases_minor: 30n,
      operation: { status: "failed" },
    });
  });

  test("gives the amount back to an open authorisation", () => {
    const open = {
      attempt: { ...manual, status: "authorized" },
      order: { status: "AUTHORIZED", captured_minor: 30n },
    } as const;
    expect(decideOn(failed, { ...open, operation: booked(30n) })).toMatchObject({
      order_status: "AUTHORIZED",
      attempt_status: "authorized",
      undoes_minor: 30n,
      releases_minor: 0n,
    });
  });

  test("is believed only with the reference of the capture that was made", () => {
    const order = { captured_minor: 30n };
    expect(
      decideOn(failed, { attempt: manual, order, operation: booked(30n, { psp_reference: "cap_0" }) }),
    ).toMatchObject({ is_unchanged: true, undoes_minor: 0n, alarm: expect.any(String) as string });
    const refused: AttemptOutcome = { kind: "failed", failure };
    expect(decideOn(refused, { attempt: manual, order, operation: booked(30n) })).toMatchObject({
      is_unchanged: true,
      undoes_minor: 0n,
      alarm: expect.any(String) as string,
    });
  });

  test("is not booked again by an older report that it was made", () => {
    const open = {
      attempt: { ...manual, status: "authorized" },
      order: { status: "AUTHORIZED", captured_minor: 0n },
    } as const;
    const known = booked(30n, { status: "failed", failure_code: "capture_failed" });
    expect(decideOn({ kind: "done", psp_reference: "cap_1" }, { ...open, operation: known })).toBeNull();
    // The ledger has a transaction of this capture already, so another one of the PSP's is for a person.
    expect(decideOn({ kind: "done", psp_reference: "cap_2" }, { ...open, operation: known })).toMatchObject({
      captures_minor: 0n,
      is_unchanged: true,
      alarm_kind: "discrepancy",
      alarm: expect.any(String) as string,
    });
  });

  test("never takes more back than was captured, and what is over holds nothing", () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 1n, max: 100n }),
        fc.bigInt({ min: 0n, max: 99n }),
        fc.boolean(),
        (amount, others, isOpen) => {
          const captured_minor = amount + (others > 100n - amount ? 100n - amount : others);
          const order = { captured_minor, status: isOpen ? "AUTHORIZED" : "SUCCESS" } as const;
          const decision = decideOn(failed, {
            attempt: { ...manual, status: isOpen ? "authorized" : "succeeded" },
            order,
            operation: booked(amount),
          });
          expect(decision?.undoes_minor).toBe(amount);
          expect(decision?.releases_minor).toBe(isOpen ? 0n : amount);
          expect(decision?.order_status).toBe(
            isOpen ? "AUTHORIZED" : captured_minor > amount ? "SUCCESS" : "FAILED",
          );
        },
      ),
    );
  });
});
