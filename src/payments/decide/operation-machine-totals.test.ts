import fc from "fast-check";
import { expect, test } from "vitest";
import { firstSend, inquiry, unknown, webhook } from "../../../test/support/charge-decisions.ts";
import {
  answerTo,
  authorized,
  canceled,
  capture,
  decideOn,
  done,
  failed,
  money,
  succeeded,
  voided,
} from "../../../test/support/operation-decisions.ts";
import type { PspOutcome } from "../../psp/psp.ts";
import type { AttemptOutcome } from "./decision.ts";

test("whatever the PSP says, never more is captured than authorised, and captures and releases come to the whole when the order ends", () => {
  const amounts = fc.bigInt({ min: 0n, max: 120n });
  const outcomes: fc.Arbitrary<AttemptOutcome> = fc.oneof(
    amounts.map((amount) => authorized(amount)),
    amounts.map(succeeded),
    amounts.map((amount): PspOutcome => ({ ...canceled, captured: money(amount) })),
    fc.constantFrom<AttemptOutcome>(
      canceled,
      unknown,
      done,
      failed("hard_decline"),
      failed("transient_decline"),
      { kind: "accepted", psp_reference: "m" },
    ),
  );
  const operations = fc.record({
    amount: fc.bigInt({ min: 1n, max: 100n }),
    is_final: fc.boolean(),
    isVoid: fc.boolean(),
    status: fc.constantFrom("executing" as const, "pending" as const, "unknown" as const, "failed" as const),
    key_number: fc.integer({ min: 1, max: 6 }),
  });
  const circumstances = fc.record({
    source: fc.oneof(
      fc.constantFrom(firstSend, inquiry, webhook),
      fc.tuple(fc.integer({ min: 1, max: 6 }), fc.boolean()).map((answered) => answerTo(...answered)),
    ),
    releases_rest: fc.boolean(),
    authorization_ended_as: fc.constantFrom(null, "canceled" as const, "expired" as const),
  });
  fc.assert(
    fc.property(
      outcomes,
      fc.bigInt({ min: 0n, max: 99n }),
      fc.option(operations, { nil: null }),
      circumstances,
      (outcome, captured, chosen, { authorization_ended_as, ...rest }) => {
        const amount =
          chosen === null ? 0n : chosen.amount > 100n - captured ? 100n - captured : chosen.amount;
        const { status, key_number } = chosen ?? { status: "executing", key_number: 1 };
        const operation =
          chosen === null
            ? null
            : chosen.isVoid
              ? voided({ status, key_number })
              : capture(amount, { is_final: chosen.is_final, status, key_number });
        const decision = decideOn(outcome, {
          captured,
          capturing: operation?.kind === "capture" && status !== "failed" ? amount : 0n,
          operation,
          attempt: { authorization_ended_as },
          ...rest,
        });
        if (decision === null) return;
        const total = captured + decision.captures_minor;
        expect(total <= 100n).toBe(true);
        const isOver = decision.order_status !== "AUTHORIZED";
        expect(total + decision.releases_minor === 100n).toBe(isOver);
        if (isOver) expect(decision.order_status).toBe(total > 0n ? "SUCCESS" : "CANCELED");
        // Money is booked for what was asked for, and only then.
        if (decision.captures_minor > 0n)
          expect([operation?.kind, decision.captures_minor, decision.operation?.status]).toEqual([
            "capture",
            amount,
            "succeeded",
          ]);
      },
    ),
    { numRuns: 5_000 },
  );
});
