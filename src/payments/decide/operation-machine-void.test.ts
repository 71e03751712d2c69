import { describe, expect, test } from "vitest";
import { failure, inquiry, pending, unknown } from "../../../test/support/charge-decisions.ts";
import {
  authorized,
  canceled,
  decideOn,
  done,
  failed,
  succeeded,
  voided,
} from "../../../test/support/operation-decisions.ts";
import type { PspOutcome } from "../../psp/psp.ts";
import type { AttemptOutcome } from "./decision.ts";

describe("a void", () => {
  test("of an authorisation cancels the order, or leaves it paid with what was captured", () => {
    for (const outcome of [canceled, done]) {
      expect(decideOn(outcome, { operation: voided() })).toMatchObject({
        order_status: "CANCELED",
        cause: "canceled",
        releases_minor: 100n,
        operation: { status: "succeeded" },
      });
      expect(decideOn(outcome, { operation: voided({ void_cause: "expired" }) })).toMatchObject({
        order_status: "CANCELED",
        cause: "expired",
      });
      expect(decideOn(outcome, { captured: 40n, operation: voided() })).toMatchObject({
        order_status: "SUCCESS",
        cause: "rest_released",
        releases_minor: 60n,
      });
    }
  });

  const waiting = {
    order: { status: "PENDING" as const, status_cause: "psp_pending" as const },
    attempt: { status: "pending" as const, capture_method: "automatic" as const },
  };

  test("of a payment that waits for its buyer cancels it, unless it was paid meanwhile", () => {
    expect(decideOn(canceled, { ...waiting, operation: voided() })).toMatchObject({
      order_status: "CANCELED",
      attempt_status: "canceled",
      operation: { status: "succeeded" },
    });
    expect(decideOn(succeeded(100n), { ...waiting, operation: voided() })).toMatchObject({
      order_status: "SUCCESS",
      captures_minor: 100n,
      operation: { status: "failed", failure: { code: "paid_meanwhile" } },
    });
  });

  test("comes before another attempt when the buyer's card was declined and another one could still pay", () => {
    const open: PspOutcome = {
      kind: "declined",
      psp_reference: "pi_1",
      failure: failure("transient_decline"),
      is_open: true,
    };
    expect(decideOn(open, waiting)).toMatchObject({
      order_status: "PENDING",
      attempt_status: "pending",
      void_cause: "declined",
      failure_class: "transient_decline",
      retry_delay_seconds: null,
    });
    const given = {
      ...waiting,
      attempt: { ...waiting.attempt, failure: failure("transient_decline") },
      operation: voided({ void_cause: "declined" }),
    };
    expect(decideOn(canceled, given)).toMatchObject({
      order_status: "RETRY_SCHEDULED",
      attempt_status: "declined",
      retry_delay_seconds: 1,
      operation: { status: "succeeded" },
    });
    expect(decideOn(succeeded(100n), given)).toMatchObject({
      order_status: "SUCCESS",
      attempt_status: "succeeded",
      operation: { status: "failed" },
    });
  });

  test("is not needed for a decline of a charge that no buyer has seen", () => {
    const open: PspOutcome = {
      kind: "declined",
      psp_reference: "pi_1",
      failure: failure("hard_decline"),
      is_open: true,
    };
    expect(
      decideOn(open, {
        order: { status: "EXECUTING" },
        attempt: { status: "executing", psp_reference: null },
      }),
    ).toMatchObject({ order_status: "FAILED", void_cause: null });
  });

  test("that the PSP refuses for good leaves money held: a person hears of it, and a waiting payment is asked about again", () => {
    expect(
      decideOn(failed("hard_decline"), { operation: voided({ void_cause: "expired" }) })?.operation,
    ).toMatchObject({ status: "failed", alarm: expect.stringContaining("could not be released") as string });
    expect(decideOn(failed("invalid_request"), { ...waiting, operation: voided() })).toMatchObject({
      is_unchanged: true,
      retry_delay_seconds: 1,
      operation: { status: "failed", alarm: expect.any(String) as string },
    });
  });

  test("that the PSP refuses once a part is captured ends the order all the same, for we take no more; a person hears of it", () => {
    expect(decideOn(failed("invalid_request"), { captured: 40n, operation: voided() })).toMatchObject({
      order_status: "SUCCESS",
      cause: "rest_released",
      releases_minor: 60n,
      operation: { status: "failed", alarm: expect.any(String) as string },
    });
    expect(decideOn(authorized(70n), { captured: 40n, operation: voided() })).toMatchObject({
      is_unchanged: true,
      operation: { status: "failed", failure: { code: "paid_meanwhile" } },
    });
    expect(
      decideOn(failed("transient_decline"), { captured: 40n, operation: voided({ key_number: 5 }) }),
    ).toMatchObject({ is_unchanged: true, operation: { status: "failed" } });
  });

  test("of a declined card with which the buyer has paid after all fails without an alarm", () => {
    const paid: AttemptOutcome = {
      kind: "failed",
      failure: { class: "hard_decline", code: "paid_meanwhile", message: "Paid." },
    };
    expect(decideOn(paid, { operation: voided({ void_cause: "declined" }) })?.operation).toMatchObject({
      status: "failed",
      alarm: null,
    });
    expect(decideOn(paid, { operation: voided() })?.operation).toMatchObject({
      status: "failed",
      alarm: expect.any(String) as string,
    });
  });

  test("for which no request was made waits with its key, and has used up no try", () => {
    const refused: AttemptOutcome = {
      kind: "not_sent",
      no_call_made: true,
      failure: { ...failure("unreachable"), retry_after_seconds: 7 },
    };
    for (const base of [{}, waiting]) {
      expect(decideOn(refused, { ...base, operation: voided({ key_number: 5 }) })?.operation).toMatchObject({
        status: "queued",
        is_new_key: false,
        retry_delay_seconds: 7,
        alarm: null,
      });
    }
  });

  test("keeps why it began, whatever is told of the payment meanwhile", () => {
    for (const outcome of [pending, unknown]) {
      expect(
        decideOn(outcome, { ...waiting, operation: voided({ void_cause: "declined" }), source: inquiry }),
      ).toMatchObject({ is_unchanged: true, operation: null });
    }
  });

  test("that does not get through leaves the order as it is", () => {
    for (const base of [{}, waiting]) {
      expect(decideOn(unknown, { ...base, operation: voided() })).toMatchObject({
        is_unchanged: true,
        operation: { status: "unknown" },
      });
    }
  });
});
