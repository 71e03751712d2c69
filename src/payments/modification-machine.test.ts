import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { toCurrencyCode } from "../money/money.ts";
import type { Failure, FailureClass, PspOutcome } from "../psp/psp.ts";
import type { AttemptOutcome, DecidableModification, Decision, DecisionInput } from "./decision.ts";
import { inquiries_before_alarm, retryPolicies } from "./retry-policies.ts";
import { decide } from "./state-machine.ts";

const usd = toCurrencyCode("USD");
const money = (amount_minor: bigint) => ({ amount_minor, currency: usd });
const policies = retryPolicies({ attempts_max: 5, backoff_base: 2 });

const authorized = (captured: bigint, amount = 100n): PspOutcome => ({
  kind: "authorized",
  psp_reference: "pi_1",
  authorized: money(amount),
  captured: money(captured),
  expires_at: null,
});
const succeeded = (charged: bigint): PspOutcome => ({
  kind: "succeeded",
  psp_reference: "pi_1",
  charged: money(charged),
});
const canceled: PspOutcome = { kind: "canceled", psp_reference: "pi_1", reason: "canceled" };
const expired: PspOutcome = { kind: "canceled", psp_reference: "pi_1", reason: "expired" };
const failure = (failureClass: FailureClass): Failure => ({
  class: failureClass,
  code: "a_code",
  message: "A message.",
});
const failed = (failureClass: FailureClass): AttemptOutcome => ({
  kind: "failed",
  failure: failure(failureClass),
});
const unknown: AttemptOutcome = { kind: "unknown", reason: "No answer." };
const pending: PspOutcome = { kind: "pending", psp_reference: "pi_1", next_action: null };
const done: AttemptOutcome = { kind: "done", psp_reference: "mod-1" };

const capture = (
  amount_minor: bigint,
  changes: Partial<DecidableModification> = {},
): DecidableModification => ({
  kind: "capture",
  status: "executing",
  amount_minor,
  is_final: false,
  void_cause: null,
  key_number: 1,
  inquiry_count: 0,
  psp_reference: null,
  failure_code: null,
  ...changes,
});
const voided = (changes: Partial<DecidableModification> = {}): DecidableModification => ({
  kind: "void",
  status: "executing",
  amount_minor: null,
  is_final: true,
  void_cause: "canceled",
  key_number: 1,
  inquiry_count: 0,
  psp_reference: null,
  failure_code: null,
  ...changes,
});

type Changes = {
  captured?: bigint;
  capturing?: bigint;
  attempt?: Partial<DecisionInput["attempt"]>;
  order?: Partial<DecisionInput["order"]>;
  modification?: DecidableModification | null;
} & Partial<
  Pick<
    DecisionInput,
    | "is_first_send"
    | "is_resolution"
    | "is_answer_to_modification"
    | "sent_key_number"
    | "is_webhook"
    | "releases_rest"
  >
>;

/** News about an authorisation of 100, of which so much was captured before. */
function decideOn(
  outcome: AttemptOutcome,
  { captured = 0n, capturing = 0n, attempt, order, modification = null, ...rest }: Changes = {},
): Decision | null {
  return decide({
    order: {
      status: "AUTHORIZED",
      status_cause: "psp_authorized",
      currency: "USD",
      amount_minor: 100n,
      captured_minor: captured,
      capturing_minor: capturing,
      ...order,
    },
    attempt: {
      status: "authorized",
      attempt_number: 1,
      inquiry_count: 0,
      amount_minor: 100n,
      capture_method: "manual",
      failure: null,
      is_known_at_psp: true,
      authorization_ended_as: null,
      resolved_as: null,
      resolution_reference: null,
      ...attempt,
    },
    modification,
    is_answer_to_modification: modification !== null,
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

describe("an authorisation", () => {
  const opening = { order: { status: "EXECUTING" as const }, attempt: { status: "executing" as const } };

  test("of the whole amount is AUTHORIZED, and booked as such", () => {
    expect(decideOn(authorized(0n), opening)).toMatchObject({
      order_status: "AUTHORIZED",
      attempt_status: "authorized",
      authorizes_minor: 100n,
      captures_minor: 0n,
      alarm: null,
    });
  });

  test.each([[authorized(0n, 99n)], [authorized(1n)]])(
    "of another amount, or of which something is captured already, is UNKNOWN and an alarm",
    (outcome) => {
      expect(decideOn(outcome, opening)).toMatchObject({
        order_status: "UNKNOWN",
        authorizes_minor: 0n,
        error: { code: "amount_mismatch" },
        alarm: expect.any(String) as string,
      });
    },
  );

  test("that was captured as a whole by somebody else before we heard of it is SUCCESS", () => {
    expect(decideOn(succeeded(100n), opening)).toMatchObject({
      order_status: "SUCCESS",
      captures_minor: 100n,
      authorizes_minor: 0n,
    });
  });

  test("that ends at the PSP ends here: CANCELED, or SUCCESS with what was captured", () => {
    expect(decideOn(canceled)).toMatchObject({
      order_status: "CANCELED",
      cause: "canceled",
      releases_minor: 100n,
    });
    expect(decideOn({ ...canceled, reason: "expired" })).toMatchObject({
      order_status: "CANCELED",
      cause: "expired",
      releases_minor: 100n,
    });
    expect(decideOn(canceled, { captured: 40n })).toMatchObject({
      order_status: "SUCCESS",
      cause: "rest_released",
      captures_minor: 0n,
      releases_minor: 60n,
    });
    expect(decideOn(succeeded(40n), { captured: 40n })).toMatchObject({
      order_status: "SUCCESS",
      cause: "rest_released",
      releases_minor: 60n,
    });
  });

  test("of which the PSP has taken more than anybody here asked for raises an alarm and moves nothing", () => {
    for (const outcome of [authorized(41n), succeeded(41n)]) {
      expect(decideOn(outcome, { captured: 40n })).toMatchObject({
        is_unchanged: true,
        captures_minor: 0n,
        alarm: expect.stringContaining("41") as string,
      });
    }
  });

  test("is not moved by a late unclear answer to its charge, but a PSP that tells something unclear by itself raises an alarm", () => {
    expect(decideOn(unknown)).toBeNull();
    expect(decideOn(unknown, { is_webhook: true })).toMatchObject({
      is_unchanged: true,
      alarm: "No answer.",
    });
  });

  test("is not moved by old news", () => {
    for (const outcome of [authorized(0n), authorized(40n), succeeded(30n), pending])
      expect(decideOn(outcome, { captured: 40n })).toBeNull();
  });
});

describe("a capture", () => {
  test("is done when the PSP's total has grown by it, however we hear of that", () => {
    for (const outcome of [authorized(70n), done]) {
      for (const is_answer_to_modification of [true, false]) {
        expect(
          decideOn(outcome, {
            captured: 40n,
            capturing: 30n,
            modification: capture(30n),
            is_answer_to_modification,
          }),
        ).toMatchObject({
          order_status: "AUTHORIZED",
          captures_minor: 30n,
          releases_minor: 0n,
          modification: { status: "succeeded" },
        });
      }
    }
  });

  test("that takes the rest, or is the last one, makes the order SUCCESS and releases what is left", () => {
    expect(decideOn(succeeded(100n), { captured: 40n, modification: capture(60n) })).toMatchObject({
      order_status: "SUCCESS",
      cause: "captured",
      captures_minor: 60n,
      releases_minor: 0n,
    });
    expect(
      decideOn(succeeded(70n), { captured: 40n, modification: capture(30n, { is_final: true }) }),
    ).toMatchObject({ order_status: "SUCCESS", captures_minor: 30n, releases_minor: 30n });
  });

  test("is not done while the total does not show it: our own question is repeated, a webhook is an old one", () => {
    expect(decideOn(authorized(40n), { captured: 40n, modification: capture(30n) })).toMatchObject({
      is_unchanged: true,
      modification: { status: "unknown", is_new_key: false },
    });
    expect(
      decideOn(authorized(40n), {
        captured: 40n,
        modification: capture(30n),
        is_answer_to_modification: false,
      }),
    ).toBeNull();
    expect(
      decideOn(authorized(10n), {
        captured: 40n,
        modification: capture(30n),
        is_answer_to_modification: false,
      }),
    ).toBeNull();
  });

  test("with a total that it cannot explain stays unknown", () => {
    expect(decideOn(authorized(75n), { captured: 40n, modification: capture(30n) })).toMatchObject({
      captures_minor: 0n,
      modification: { status: "unknown" },
    });
  });

  test("whose outcome is unclear keeps its key and is asked about for ever; a person hears of it in the end", () => {
    expect(decideOn(unknown, { modification: capture(30n) })).toMatchObject({
      is_unchanged: true,
      modification: { status: "unknown", is_new_key: false, alarm: null },
    });
    expect(
      decideOn(unknown, { modification: capture(30n, { inquiry_count: inquiries_before_alarm }) })
        ?.modification?.alarm,
    ).toContain("No answer.");
  });

  test("that surely failed for a moment is tried again under another key, and given up in the end with an alarm", () => {
    const decisions = [1, 2, 3, 4, 5].map((key_number) =>
      decideOn(failed("transient_decline"), { capturing: 30n, modification: capture(30n, { key_number }) }),
    );
    expect(decisions.map((decision) => decision?.modification?.status)).toEqual([
      "queued",
      "queued",
      "queued",
      "queued",
      "failed",
    ]);
    expect(decisions.map((decision) => decision?.modification?.retry_delay_seconds)).toEqual([
      1,
      2,
      4,
      8,
      null,
    ]);
    expect(decisions.at(-1)?.modification?.alarm).toContain("5 tries");
  });

  test("that the PSP refuses is given up at once, and what it asked for may be asked for again", () => {
    for (const failureClass of ["hard_decline", "invalid_request"] as const) {
      expect(decideOn(failed(failureClass), { capturing: 30n, modification: capture(30n) })).toMatchObject({
        is_unchanged: true,
        captures_minor: 0n,
        modification: { status: "failed", alarm: null },
      });
    }
  });

  test("that was not sent, after an earlier request may have arrived, is unknown", () => {
    const notSent: AttemptOutcome = { kind: "not_sent", failure: failure("unreachable") };
    expect(decideOn(notSent, { modification: capture(30n) })?.modification).toMatchObject({
      status: "queued",
      is_new_key: true,
    });
    expect(
      decideOn(notSent, { modification: capture(30n), is_first_send: false })?.modification,
    ).toMatchObject({ status: "unknown", is_new_key: false });
  });

  test("of an authorisation that has ended fails and ends the order", () => {
    expect(
      decideOn(
        { ...canceled, captured: money(40n) },
        { captured: 40n, capturing: 30n, modification: capture(30n) },
      ),
    ).toMatchObject({
      order_status: "SUCCESS",
      cause: "rest_released",
      releases_minor: 60n,
      modification: { status: "failed" },
    });
    expect(
      decideOn({ ...expired, captured: money(0n) }, { capturing: 30n, modification: capture(30n) }),
    ).toMatchObject({ order_status: "CANCELED", cause: "expired", modification: { status: "failed" } });
  });

  test("waits for its own news when the authorisation was given up and nobody says what was taken", () => {
    const underWay = {
      capturing: 30n,
      modification: capture(30n, { status: "pending" as const }),
      is_answer_to_modification: false,
    };
    expect(decideOn(canceled, underWay)).toMatchObject({
      is_unchanged: true,
      modification: null,
      authorization_ended_as: "canceled",
    });
    const ended = { ...underWay, attempt: { authorization_ended_as: "expired" as const } };
    expect(decideOn(done, ended)).toMatchObject({
      order_status: "SUCCESS",
      captures_minor: 30n,
      releases_minor: 70n,
      modification: { status: "succeeded" },
    });
    for (const failureClass of ["hard_decline", "transient_decline"] as const) {
      expect(decideOn(failed(failureClass), ended)).toMatchObject({
        order_status: "CANCELED",
        cause: "expired",
        releases_minor: 100n,
        modification: { status: "failed", is_new_key: false },
      });
    }
  });

  test("that was made before the authorisation was given up is booked, and ends the order", () => {
    expect(
      decideOn({ ...canceled, captured: money(30n) }, { capturing: 30n, modification: capture(30n) }),
    ).toMatchObject({
      order_status: "SUCCESS",
      captures_minor: 30n,
      releases_minor: 70n,
      modification: { status: "succeeded" },
    });
  });

  test("is followed by a void where the PSP keeps what a last capture leaves", () => {
    const last = { modification: capture(30n, { is_final: true }), releases_rest: false };
    expect(decideOn(done, last)).toMatchObject({
      order_status: "AUTHORIZED",
      captures_minor: 30n,
      releases_minor: 0n,
      void_cause: "canceled",
    });
    expect(decideOn(done, { ...last, releases_rest: true })).toMatchObject({
      order_status: "SUCCESS",
      releases_minor: 70n,
      void_cause: null,
    });
    expect(
      decideOn(done, { modification: capture(100n, { is_final: true }), releases_rest: false }),
    ).toMatchObject({ order_status: "SUCCESS", releases_minor: 0n, void_cause: null });
  });

  test("is not moved by what the PSP tells unclearly by itself: that is a case for a person", () => {
    const underWay = {
      captured: 20n,
      capturing: 30n,
      modification: capture(30n, { status: "pending" as const }),
      is_answer_to_modification: false,
    };
    expect(decideOn(unknown, { ...underWay, is_webhook: true })).toMatchObject({
      is_unchanged: true,
      modification: null,
      alarm: "No answer.",
    });
    expect(decideOn(unknown, underWay)).toBeNull();
  });

  test("and an authorisation are not moved by a decline, which speaks of something else", () => {
    const declined: PspOutcome = {
      kind: "declined",
      psp_reference: "pi_2",
      failure: failure("hard_decline"),
    };
    expect(decideOn(declined)).toBeNull();
    expect(
      decideOn(declined, { capturing: 30n, modification: capture(30n), is_answer_to_modification: false }),
    ).toBeNull();
  });

  test("of a payment that has ended is given up without touching the order; one that was made all the same raises an alarm", () => {
    const over = {
      order: { status: "CANCELED" as const },
      attempt: { status: "canceled" as const },
      capturing: 30n,
      modification: capture(30n),
    };
    expect(decideOn(failed("hard_decline"), over)).toMatchObject({
      is_unchanged: true,
      alarm: null,
      modification: { status: "failed" },
    });
    expect(decideOn(done, over)).toMatchObject({
      is_unchanged: true,
      alarm: expect.stringContaining("30") as string,
      modification: { status: "failed", failure: { code: "captured_too_late" } },
    });
  });

  test("that the PSP reports as the opposite of what we hold raises an alarm", () => {
    expect(
      decideOn(failed("hard_decline"), {
        captured: 30n,
        modification: capture(30n, { status: "succeeded" }),
        is_answer_to_modification: false,
      }),
    ).toMatchObject({ is_unchanged: true, alarm: expect.any(String) as string });
    const over = {
      order: { status: "CANCELED" as const },
      attempt: { status: "canceled" as const },
      is_answer_to_modification: false,
    };
    expect(decideOn(done, { ...over, modification: capture(30n, { status: "failed" }) })).toMatchObject({
      is_unchanged: true,
      alarm: expect.any(String) as string,
    });
    expect(
      decideOn(done, {
        modification: capture(30n, { status: "succeeded" }),
        is_answer_to_modification: false,
      }),
    ).toBeNull();
  });
});

describe("a capture that was decided wrongly", () => {
  const wrong = { modification: capture(30n, { status: "failed" }) };

  test("is booked when the PSP says that it was made and there is room for it, with an alarm", () => {
    for (const is_answer_to_modification of [true, false]) {
      expect(decideOn(done, { ...wrong, is_answer_to_modification })).toMatchObject({
        order_status: "AUTHORIZED",
        captures_minor: 30n,
        modification: { status: "succeeded" },
        alarm: expect.any(String) as string,
      });
    }
    expect(decideOn(authorized(30n), wrong)).toMatchObject({
      captures_minor: 30n,
      modification: { status: "succeeded" },
    });
    expect(decideOn(done, { ...wrong, captured: 50n, capturing: 21n })).toMatchObject({
      is_unchanged: true,
      captures_minor: 0n,
      alarm: expect.any(String) as string,
    });
  });

  test("is not so by a state that came late, which may speak of another one", () => {
    expect(
      decideOn(authorized(30n), { ...wrong, capturing: 30n, is_answer_to_modification: false }),
    ).toBeNull();
  });

  test("raises an alarm when the PSP has taken more than is captured and under way", () => {
    const made = { captured: 30n, modification: capture(30n, { status: "succeeded" }) };
    expect(decideOn(authorized(60n), made)).toMatchObject({
      is_unchanged: true,
      captures_minor: 0n,
      alarm: expect.stringContaining("60") as string,
    });
    expect(decideOn(authorized(60n), { ...made, capturing: 30n })).toBeNull();
  });
});

describe("an answer to a request with an earlier key", () => {
  const overtaken = { capturing: 30n, modification: capture(30n, { key_number: 2 }), sent_key_number: 1 };

  test("says nothing of the later one, unless that it was done after all", () => {
    for (const outcome of [failed("transient_decline"), failed("hard_decline"), unknown, authorized(0n)])
      expect(decideOn(outcome, overtaken)).toBeNull();
    expect(decideOn(done, overtaken)).toMatchObject({
      captures_minor: 30n,
      modification: { status: "succeeded" },
    });
    expect(
      decideOn(failed("transient_decline"), { ...overtaken, sent_key_number: 2 })?.modification,
    ).toMatchObject({ status: "queued", is_new_key: true });
  });
});

describe("a void", () => {
  test("of an authorisation cancels the order, or leaves it paid with what was captured", () => {
    for (const outcome of [canceled, done]) {
      expect(decideOn(outcome, { modification: voided() })).toMatchObject({
        order_status: "CANCELED",
        cause: "canceled",
        releases_minor: 100n,
        modification: { status: "succeeded" },
      });
      expect(decideOn(outcome, { modification: voided({ void_cause: "expired" }) })).toMatchObject({
        order_status: "CANCELED",
        cause: "expired",
      });
      expect(decideOn(outcome, { captured: 40n, modification: voided() })).toMatchObject({
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
    expect(decideOn(canceled, { ...waiting, modification: voided() })).toMatchObject({
      order_status: "CANCELED",
      attempt_status: "canceled",
      modification: { status: "succeeded" },
    });
    expect(decideOn(succeeded(100n), { ...waiting, modification: voided() })).toMatchObject({
      order_status: "SUCCESS",
      captures_minor: 100n,
      modification: { status: "failed", failure: { code: "paid_meanwhile" } },
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
      modification: voided({ void_cause: "declined" }),
    };
    expect(decideOn(canceled, given)).toMatchObject({
      order_status: "RETRY_SCHEDULED",
      attempt_status: "declined",
      retry_delay_seconds: 1,
      modification: { status: "succeeded" },
    });
    expect(decideOn(succeeded(100n), given)).toMatchObject({
      order_status: "SUCCESS",
      attempt_status: "succeeded",
      modification: { status: "failed" },
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
        attempt: { status: "executing", is_known_at_psp: false },
      }),
    ).toMatchObject({ order_status: "FAILED", void_cause: null });
  });

  test("that the PSP refuses for good leaves money held: a person hears of it, and a waiting payment is asked about again", () => {
    expect(
      decideOn(failed("hard_decline"), { modification: voided({ void_cause: "expired" }) })?.modification,
    ).toMatchObject({ status: "failed", alarm: expect.stringContaining("given up") as string });
    expect(decideOn(failed("invalid_request"), { ...waiting, modification: voided() })).toMatchObject({
      is_unchanged: true,
      retry_delay_seconds: 1,
      modification: { status: "failed", alarm: expect.any(String) as string },
    });
  });

  test("that the PSP refuses once a part is captured ends the order all the same, for we take no more; a person hears of it", () => {
    expect(decideOn(failed("invalid_request"), { captured: 40n, modification: voided() })).toMatchObject({
      order_status: "SUCCESS",
      cause: "rest_released",
      releases_minor: 60n,
      modification: { status: "failed", alarm: expect.any(String) as string },
    });
    expect(decideOn(authorized(70n), { captured: 40n, modification: voided() })).toMatchObject({
      is_unchanged: true,
      modification: { status: "failed", failure: { code: "paid_meanwhile" } },
    });
    expect(
      decideOn(failed("transient_decline"), { captured: 40n, modification: voided({ key_number: 5 }) }),
    ).toMatchObject({ is_unchanged: true, modification: { status: "failed" } });
  });

  test("of a declined card with which the buyer has paid after all fails without an alarm", () => {
    const paid: AttemptOutcome = {
      kind: "failed",
      failure: { class: "hard_decline", code: "paid_meanwhile", message: "Paid." },
    };
    expect(decideOn(paid, { modification: voided({ void_cause: "declined" }) })?.modification).toMatchObject({
      status: "failed",
      alarm: null,
    });
    expect(decideOn(paid, { modification: voided() })?.modification).toMatchObject({
      status: "failed",
      alarm: expect.any(String) as string,
    });
  });

  test("for which no request was made waits with its key, and has used up no try", () => {
    const refused: AttemptOutcome = {
      kind: "not_sent",
      is_unasked: true,
      failure: { ...failure("unreachable"), retry_after_seconds: 7 },
    };
    for (const base of [{}, waiting]) {
      expect(
        decideOn(refused, { ...base, modification: voided({ key_number: 5 }) })?.modification,
      ).toMatchObject({ status: "queued", is_new_key: false, retry_delay_seconds: 7, alarm: null });
    }
  });

  test("keeps why it began, whatever is told of the payment meanwhile", () => {
    for (const outcome of [pending, unknown]) {
      expect(
        decideOn(outcome, {
          ...waiting,
          modification: voided({ void_cause: "declined" }),
          is_answer_to_modification: false,
        }),
      ).toMatchObject({ is_unchanged: true, modification: null });
    }
  });

  test("that does not get through leaves the order as it is", () => {
    for (const base of [{}, waiting]) {
      expect(decideOn(unknown, { ...base, modification: voided() })).toMatchObject({
        is_unchanged: true,
        modification: { status: "unknown" },
      });
    }
  });
});

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
  const modifications = fc.record({
    amount: fc.bigInt({ min: 1n, max: 100n }),
    is_final: fc.boolean(),
    isVoid: fc.boolean(),
    status: fc.constantFrom("executing" as const, "pending" as const, "unknown" as const, "failed" as const),
    key_number: fc.integer({ min: 1, max: 6 }),
  });
  const circumstances = fc.record({
    is_first_send: fc.boolean(),
    is_answer: fc.boolean(),
    releases_rest: fc.boolean(),
    is_webhook: fc.boolean(),
    sent_key_number: fc.option(fc.integer({ min: 1, max: 6 }), { nil: null }),
    authorization_ended_as: fc.constantFrom(null, "canceled" as const, "expired" as const),
  });
  fc.assert(
    fc.property(
      outcomes,
      fc.bigInt({ min: 0n, max: 99n }),
      fc.option(modifications, { nil: null }),
      circumstances,
      (outcome, captured, chosen, { is_answer, authorization_ended_as, ...rest }) => {
        const amount =
          chosen === null ? 0n : chosen.amount > 100n - captured ? 100n - captured : chosen.amount;
        const { status, key_number } = chosen ?? { status: "executing", key_number: 1 };
        const modification =
          chosen === null
            ? null
            : chosen.isVoid
              ? voided({ status, key_number })
              : capture(amount, { is_final: chosen.is_final, status, key_number });
        const decision = decideOn(outcome, {
          captured,
          capturing: modification?.kind === "capture" && status !== "failed" ? amount : 0n,
          modification,
          is_answer_to_modification: modification !== null && is_answer,
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
          expect([modification?.kind, decision.captures_minor, decision.modification?.status]).toEqual([
            "capture",
            amount,
            "succeeded",
          ]);
      },
    ),
    { numRuns: 5_000 },
  );
});
