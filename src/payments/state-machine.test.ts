import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";
import type { Failure, FailureClass, PspOutcome } from "../psp/psp.ts";
import { openAttemptStatuses, type AttemptStatus, type OrderStatus } from "./model.ts";
import { inquiries_before_alarm, retryPolicies } from "./retry-policies.ts";
import type { Decision, DecisionInput } from "./decision.ts";
import { decide } from "./state-machine.ts";
import { toCurrencyCode } from "../money/money.ts";

const usd = toCurrencyCode("USD");
const policies = retryPolicies({ attempts_max: 5, backoff_base: 2 });
const failureClasses: readonly FailureClass[] = [
  "hard_decline",
  "transient_decline",
  "rate_limited",
  "unreachable",
  "invalid_request",
];
const closed: readonly AttemptStatus[] = ["succeeded", "declined", "not_sent", "canceled"];
/** The state in which an order waits for each state of its open attempt. */
const waiting: Readonly<Record<string, OrderStatus>> = {
  executing: "EXECUTING",
  pending: "PENDING",
  unknown: "UNKNOWN",
};

const charged = (amount_minor: bigint, currency = usd): PspOutcome => ({
  kind: "succeeded",
  psp_reference: "pi_1",
  charged: { amount_minor, currency },
});
const failure = (failureClass: FailureClass, changes: Partial<Failure> = {}): Failure => ({
  class: failureClass,
  code: "a_code",
  message: "A message.",
  ...changes,
});
const declined = (failureClass: FailureClass): PspOutcome => ({
  kind: "declined",
  psp_reference: "pi_1",
  failure: failure(failureClass),
});
const notSent = (failureClass: FailureClass, changes: Partial<Failure> = {}): PspOutcome => ({
  kind: "not_sent",
  failure: failure(failureClass, changes),
});
const pending: PspOutcome = { kind: "pending", psp_reference: "pi_1", next_action: null };
const unknown: PspOutcome = { kind: "unknown", reason: "No answer." };
const amounts = (outcome: PspOutcome): bigint =>
  outcome.kind === "succeeded" ? outcome.charged.amount_minor : 2_999n;

type Changes = {
  order?: Partial<DecisionInput["order"]>;
  attempt?: Partial<DecisionInput["attempt"]>;
} & Partial<Pick<DecisionInput, "is_first_send" | "is_resolution" | "can_be_asked" | "random">>;

function decideOn(outcome: PspOutcome, { order, attempt, ...rest }: Changes = {}): Decision | null {
  return decide({
    order: {
      status: "EXECUTING",
      status_cause: "execution_started",
      currency: "USD",
      amount_minor: 2_999n,
      captured_minor: 0n,
      capturing_minor: 0n,
      ...order,
    },
    attempt: {
      status: "executing",
      attempt_number: 1,
      inquiry_count: 0,
      amount_minor: 2_999n,
      capture_method: "automatic",
      failure: null,
      is_known_at_psp: false,
      authorization_ended_as: null,
      resolved_as: null,
      resolution_reference: null,
      ...attempt,
    },
    modification: null,
    is_answer_to_modification: false,
    sent_key_number: null,
    is_webhook: false,
    is_resolution: false,
    releases_rest: true,
    can_be_asked: true,
    outcome,
    is_first_send: true,
    policies,
    random: 0.5,
    ...rest,
  });
}

const outcomes: fc.Arbitrary<PspOutcome> = fc.oneof(
  fc.constantFrom(charged(2_999n), charged(2_998n), charged(2_999n, toCurrencyCode("EUR")), pending, unknown),
  fc
    .record({ kind: fc.constantFrom(declined, notSent), failureClass: fc.constantFrom(...failureClasses) })
    .map(({ kind, failureClass }) => kind(failureClass)),
);
const circumstances = fc.record({
  is_first_send: fc.boolean(),
  random: fc.double({ min: 0, max: 1, noNaN: true }),
  attempt_number: fc.integer({ min: 1, max: 8 }),
  inquiry_count: fc.nat(12),
});

describe("against the table in the database", () => {
  let db: TestDatabase;
  let allowed: Set<string>;
  beforeAll(async () => {
    db = await createTestDatabase();
    const rows = await db.asService("select from_status, to_status from payment_order_allowed_transitions");
    allowed = new Set(rows.map((row) => `${String(row["from_status"])} → ${String(row["to_status"])}`));
  });
  afterAll(() => db.drop());

  // A repeated state is no transition, so it needs no row.
  const isAllowed = (from: OrderStatus, to: OrderStatus): boolean =>
    from === to || allowed.has(`${from} → ${to}`);

  test.each(Object.entries(waiting))(
    "every decision about an order whose attempt is %s is a transition that it allows",
    (attemptStatus, from) => {
      const refused = new Set<string>();
      fc.assert(
        fc.property(outcomes, circumstances, (outcome, { attempt_number, inquiry_count, ...rest }) => {
          const attempt = { status: attemptStatus as AttemptStatus, attempt_number, inquiry_count };
          const decision = decideOn(outcome, { order: { status: from }, attempt, ...rest });
          if (decision !== null && !isAllowed(from, decision.order_status))
            refused.add(`${from} → ${decision.order_status} after ${outcome.kind}`);
        }),
        { numRuns: 500 },
      );
      expect([...refused]).toEqual([]);
    },
  );

  test("CANCELED is final there; SUCCESS is left only when its capture failed, and FAILED by a new attempt only", () => {
    const from = (status: OrderStatus): string[] =>
      [...allowed].filter((row) => row.startsWith(`${status} `));
    expect([from("SUCCESS"), from("CANCELED"), from("FAILED")]).toEqual([
      ["SUCCESS → FAILED"],
      [],
      ["FAILED → EXECUTING"],
    ]);
  });

  test("it refuses what the table does not allow, also from the service", async () => {
    await db.asService(`insert into payment_events (checkout_id, buyer_info, credit_card_info, unfinished_order_count, request_fingerprint, risk_decision)
      values ('c', '{}', '{}', 1, decode(repeat('00', 32), 'hex'), 'pass')`);
    await db.asService(`insert into payment_orders (payment_order_id, checkout_id, position, buyer_account, seller_account, amount_minor, currency, status, status_cause, status_actor, created_by)
      values ('o', 'c', 0, 'b', 's', 1, 'USD', 'NOT_STARTED', 'accepted', 'test', 'test')`);
    await expect(
      db.asService(
        "update payment_orders set status = 'SUCCESS', captured_minor = amount_minor, wallet_updated = true, ledger_updated = true",
      ),
    ).rejects.toMatchObject({ code: "PL005" });
    expect(await db.asService("select status from payment_orders")).toEqual([{ status: "NOT_STARTED" }]);
  });
});

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
      fc.boolean(),
      (amount, code, status, is_first_send) => {
        fc.pre(amount !== 2_999n || code !== "USD");
        const decision = decideOn(charged(amount, toCurrencyCode(code)), {
          attempt: { status },
          is_first_send,
        });
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

test("not sent, after an earlier request of the same attempt may have arrived, is unknown and keeps the attempt open", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...failureClasses),
      fc.constantFrom(...openAttemptStatuses),
      (failureClass, status) => {
        const decision = decideOn(notSent(failureClass), { attempt: { status }, is_first_send: false });
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
    decideOn(declined("hard_decline"), { is_first_send: false, attempt: { status: "unknown" } }),
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
        if (outcome.kind !== "succeeded" || status === "succeeded") {
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
