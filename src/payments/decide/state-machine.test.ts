import fc from "fast-check";
import { expect, test } from "vitest";
import {
  charged,
  circumstances,
  decideOn,
  declined,
  failureClasses,
  firstSend,
  inquiry,
  notSent,
  outcomes,
  pending,
  unknown,
  usd,
} from "../../../test/support/charge-decisions.ts";
import { toCurrencyCode } from "../../money/money.ts";
import type { PspOutcome } from "../../psp/psp.ts";
import { openAttemptStatuses, type AttemptStatus, type OrderStatus } from "../model/model.ts";
import { inquiries_before_alarm } from "../model/retry-policies.ts";

const closed: readonly AttemptStatus[] = ["succeeded", "declined", "not_sent", "canceled"];
const amounts = (outcome: PspOutcome): bigint =>
  outcome.kind === "succeeded" ? outcome.charged.amount_minor : 2_999n;

test("a success of the order's amount and currency is SUCCESS", () => {
  expect(decideOn(charged(2_999n))).toMatchObject({
    order_status: "SUCCESS",
    attempt_status: "succeeded",
    cause: "psp_succeeded",
    error: null,
    alarm: null,
    retry_delay_seconds: null,
  });
});

test("a success of another amount or currency is never SUCCESS: it is UNKNOWN, and a person hears of it", () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.constant(2_999n), fc.bigInt({ min: -5_000n, max: 5_000n })),
      fc.constantFrom("USD", "EUR", "JPY"),
      fc.constantFrom(...openAttemptStatuses),
      fc.constantFrom(firstSend, inquiry),
      (amount, code, status, source) => {
        fc.pre(amount !== 2_999n || code !== "USD");
        const decision = decideOn(charged(amount, toCurrencyCode(code)), { attempt: { status }, source });
        expect(decision).toMatchObject({
          order_status: "UNKNOWN",
          attempt_status: "unknown",
          error: { code: "amount_mismatch" },
          is_unchanged: false,
        });
        expect(decision?.alarm).toContain(String(amount));
      },
    ),
  );
});

test.each(["hard_decline", "invalid_request"] as const)(
  "a %s fails the order at once and is not repeated",
  (failureClass) => {
    expect(decideOn(declined(failureClass))).toMatchObject({
      order_status: "FAILED",
      attempt_status: "declined",
      cause: "psp_declined",
      failure_class: failureClass,
      retry_delay_seconds: null,
      alarm: null,
      error: { code: "a_code", message: "A message." },
    });
  },
);

test("a transient decline is tried again after 1, 2, 4, 8 seconds, then given up with an alarm", () => {
  const decisions = [1, 2, 3, 4, 5].map((attempt_number) =>
    decideOn(declined("transient_decline"), { attempt: { attempt_number } }),
  );
  expect(decisions.map((decision) => decision?.order_status)).toEqual([
    ...Array<string>(4).fill("RETRY_SCHEDULED"),
    "FAILED",
  ]);
  expect(decisions.map((decision) => decision?.retry_delay_seconds)).toEqual([1, 2, 4, 8, null]);
  expect(decisions.map((decision) => decision?.attempt_status)).toEqual(Array(5).fill("declined"));
  expect(decisions.map((decision) => decision?.alarm === null)).toEqual([true, true, true, true, false]);
  expect(decisions.at(-1)?.cause).toBe("retries_exhausted");
});

test("a charge that never left is tried again with a new attempt, not before the PSP's Retry-After", () => {
  const decision = decideOn(notSent("rate_limited", { retry_after_seconds: 30 }));
  expect(decision).toMatchObject({
    order_status: "RETRY_SCHEDULED",
    attempt_status: "not_sent",
    cause: "psp_not_reached",
    retry_delay_seconds: 30,
  });
});

test("a request that the PSP did not accept has the cause psp_refused; one that was never made, psp_not_reached", () => {
  expect(decideOn(notSent("invalid_request"))).toMatchObject({
    order_status: "FAILED",
    attempt_status: "not_sent",
    cause: "psp_refused",
  });
  const failure = {
    class: "invalid_request",
    code: "amount_not_supported",
    message: "Too many decimals.",
  } as const;
  expect(decideOn({ kind: "not_sent", failure, no_call_made: true })?.cause).toBe("psp_not_reached");
  expect(decideOn(notSent("unreachable"))?.cause).toBe("psp_not_reached");
});

test("not sent, after an earlier request of the same attempt may have arrived, is unknown and keeps the attempt open", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...failureClasses),
      fc.constantFrom(...openAttemptStatuses),
      (failureClass, status) => {
        const decision = decideOn(notSent(failureClass), { attempt: { status }, source: inquiry });
        expect(decision).toMatchObject({
          order_status: "UNKNOWN",
          attempt_status: "unknown",
          cause: "psp_unknown",
        });
        expect(decision?.retry_delay_seconds).toBeGreaterThan(0);
      },
    ),
  );
});

test("a decline of a repeated request is as definite as of the first", () => {
  expect(
    decideOn(declined("hard_decline"), { source: inquiry, attempt: { status: "unknown" } }),
  ).toMatchObject({ order_status: "FAILED", attempt_status: "declined" });
});

test("a webhook that does not say what the buyer must do waits for the answer to the request under way, which does", () => {
  const untold: PspOutcome = { kind: "pending", psp_reference: "pi_1" };
  expect(decideOn(untold)).toBeNull();
  expect(decideOn(pending)).toMatchObject({ order_status: "PENDING" });
  for (const status of ["pending", "unknown"] as const)
    expect(decideOn(untold, { attempt: { status } })).toMatchObject({ order_status: "PENDING" });
});

test("what is pending at an account that cannot be asked waits without another look", () => {
  expect(decideOn(pending, { can_be_asked: false })).toMatchObject({
    order_status: "PENDING",
    attempt_status: "pending",
    retry_delay_seconds: null,
    alarm: null,
  });
  expect(decideOn(pending, { can_be_asked: true })).toMatchObject({
    retry_delay_seconds: expect.any(Number) as number,
  });
});

test("what is pending or unknown is asked about again for ever, at most five minutes and its jitter apart", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(pending, unknown),
      fc.integer({ min: 0, max: 1_000_000 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (outcome, inquiry_count, random) => {
        const decision = decideOn(outcome, { attempt: { inquiry_count }, random });
        expect(decision?.attempt_status).toBe(outcome.kind);
        expect(decision?.retry_delay_seconds).toBeGreaterThan(0);
        expect(decision?.retry_delay_seconds).toBeLessThanOrEqual(300 * 1.2);
      },
    ),
  );
});

test("a person hears of an outcome that stays unknown, and not before", () => {
  expect(decideOn(unknown, { attempt: { inquiry_count: inquiries_before_alarm - 1 } })?.alarm).toBeNull();
  expect(decideOn(unknown, { attempt: { inquiry_count: inquiries_before_alarm } })?.alarm).toContain(
    "No answer.",
  );
});

test("a closed attempt never opens again and never moves its order; money that moved against it raises an alarm", () => {
  const states = fc.constantFrom<OrderStatus>(
    "EXECUTING",
    "RETRY_SCHEDULED",
    "SUCCESS",
    "FAILED",
    "CANCELED",
    "PENDING",
    "UNKNOWN",
  );
  fc.assert(
    fc.property(
      fc.constantFrom(...closed),
      states,
      outcomes,
      circumstances,
      (status, orderStatus, outcome, { attempt_number, inquiry_count, ...rest }) => {
        const decision = decideOn(outcome, {
          order: { status: orderStatus },
          attempt: { status, attempt_number, inquiry_count },
          ...rest,
        });
        const isRepetition =
          status === "succeeded" &&
          outcome.kind === "succeeded" &&
          outcome.charged.amount_minor === 2_999n &&
          outcome.charged.currency === "USD";
        if (outcome.kind !== "succeeded" || isRepetition) {
          expect(decision).toBeNull();
          return;
        }
        expect(decision).toMatchObject({
          is_unchanged: true,
          order_status: orderStatus,
          attempt_status: status,
          retry_delay_seconds: null,
        });
        expect(decision?.alarm).toContain("pi_1");
      },
    ),
  );
});

test("only SUCCESS closes an attempt as succeeded, and it always does", () => {
  fc.assert(
    fc.property(
      outcomes,
      fc.constantFrom(...openAttemptStatuses),
      circumstances,
      (outcome, status, { attempt_number, inquiry_count, ...rest }) => {
        const decision = decideOn(outcome, { attempt: { status, attempt_number, inquiry_count }, ...rest });
        const isPaid =
          outcome.kind === "succeeded" && amounts(outcome) === 2_999n && outcome.charged.currency === usd;
        expect([decision?.order_status === "SUCCESS", decision?.attempt_status === "succeeded"]).toEqual([
          isPaid,
          isPaid,
        ]);
      },
    ),
  );
});

test("an order is looked at again exactly when something is still to come", () => {
  fc.assert(
    fc.property(
      outcomes,
      fc.constantFrom(...openAttemptStatuses),
      circumstances,
      (outcome, status, { attempt_number, inquiry_count, ...rest }) => {
        const decision = decideOn(outcome, { attempt: { status, attempt_number, inquiry_count }, ...rest });
        const isOver = decision?.order_status === "SUCCESS" || decision?.order_status === "FAILED";
        // After a wrong amount only a person can tell what to do.
        const isMismatch = decision?.error?.code === "amount_mismatch";
        expect(decision?.retry_delay_seconds === null).toBe(isOver || isMismatch);
      },
    ),
  );
});
