import { describe, expect, test } from "vitest";
import { failure, inquiry, unknown, webhook } from "../../../test/support/charge-decisions.ts";
import {
  answerTo,
  authorized,
  canceled,
  capture,
  decideOn,
  done,
  expired,
  failed,
  money,
  succeeded,
} from "../../../test/support/operation-decisions.ts";
import type { PspOutcome } from "../../psp/psp.ts";
import type { AttemptOutcome } from "./decision.ts";
import { inquiries_before_alarm } from "../model/retry-policies.ts";

describe("a capture", () => {
  test("is done when the PSP's total has grown by it, however we hear of that", () => {
    for (const outcome of [authorized(70n), done]) {
      for (const source of [answerTo(1), inquiry, webhook]) {
        expect(
          decideOn(outcome, { captured: 40n, capturing: 30n, operation: capture(30n), source }),
        ).toMatchObject({
          order_status: "AUTHORIZED",
          captures_minor: 30n,
          releases_minor: 0n,
          operation: { status: "succeeded" },
        });
      }
    }
  });

  test("that takes the rest, or is the last one, makes the order SUCCESS and releases what is left", () => {
    expect(decideOn(succeeded(100n), { captured: 40n, operation: capture(60n) })).toMatchObject({
      order_status: "SUCCESS",
      cause: "captured",
      captures_minor: 60n,
      releases_minor: 0n,
    });
    expect(
      decideOn(succeeded(70n), { captured: 40n, operation: capture(30n, { is_final: true }) }),
    ).toMatchObject({ order_status: "SUCCESS", captures_minor: 30n, releases_minor: 30n });
  });

  test("is not done while the total does not show it: our own question is repeated, a webhook is an old one", () => {
    expect(decideOn(authorized(40n), { captured: 40n, operation: capture(30n) })).toMatchObject({
      is_unchanged: true,
      operation: { status: "unknown", is_new_key: false },
    });
    expect(decideOn(authorized(40n), { captured: 40n, operation: capture(30n), source: inquiry })).toBeNull();
    expect(decideOn(authorized(10n), { captured: 40n, operation: capture(30n), source: inquiry })).toBeNull();
  });

  test("with a total that it cannot explain stays unknown", () => {
    expect(decideOn(authorized(75n), { captured: 40n, operation: capture(30n) })).toMatchObject({
      captures_minor: 0n,
      operation: { status: "unknown" },
    });
  });

  test("whose outcome is unclear keeps its key and is asked about for ever; a person hears of it in the end", () => {
    expect(decideOn(unknown, { operation: capture(30n) })).toMatchObject({
      is_unchanged: true,
      operation: { status: "unknown", is_new_key: false, alarm: null },
    });
    expect(
      decideOn(unknown, { operation: capture(30n, { inquiry_count: inquiries_before_alarm }) })?.operation
        ?.alarm,
    ).toContain("No answer.");
  });

  test("that surely failed for a moment is tried again under another key, and given up in the end with an alarm", () => {
    const decisions = [1, 2, 3, 4, 5].map((key_number) =>
      decideOn(failed("transient_decline"), { capturing: 30n, operation: capture(30n, { key_number }) }),
    );
    expect(decisions.map((decision) => decision?.operation?.status)).toEqual([
      "queued",
      "queued",
      "queued",
      "queued",
      "failed",
    ]);
    expect(decisions.map((decision) => decision?.operation?.retry_delay_seconds)).toEqual([1, 2, 4, 8, null]);
    expect(decisions.at(-1)?.operation?.alarm).toContain("5 tries");
  });

  test("that the PSP refuses is given up at once, and what it asked for may be asked for again", () => {
    for (const failureClass of ["hard_decline", "invalid_request"] as const) {
      expect(decideOn(failed(failureClass), { capturing: 30n, operation: capture(30n) })).toMatchObject({
        is_unchanged: true,
        captures_minor: 0n,
        operation: { status: "failed", alarm: null },
      });
    }
  });

  test("that was not sent, after an earlier request may have arrived, is unknown", () => {
    const notSent: AttemptOutcome = { kind: "not_sent", failure: failure("unreachable") };
    expect(decideOn(notSent, { operation: capture(30n) })?.operation).toMatchObject({
      status: "queued",
      is_new_key: true,
    });
    expect(
      decideOn(notSent, { operation: capture(30n), source: answerTo(1, false) })?.operation,
    ).toMatchObject({ status: "unknown", is_new_key: false });
  });

  test("of an authorisation that has ended fails and ends the order", () => {
    expect(
      decideOn(
        { ...canceled, captured: money(40n) },
        { captured: 40n, capturing: 30n, operation: capture(30n) },
      ),
    ).toMatchObject({
      order_status: "SUCCESS",
      cause: "rest_released",
      releases_minor: 60n,
      operation: { status: "failed" },
    });
    expect(
      decideOn({ ...expired, captured: money(0n) }, { capturing: 30n, operation: capture(30n) }),
    ).toMatchObject({ order_status: "CANCELED", cause: "expired", operation: { status: "failed" } });
  });

  test("waits for its own report when the authorisation was given up and nobody says what was taken", () => {
    const underWay = {
      capturing: 30n,
      operation: capture(30n, { status: "pending" as const }),
      source: inquiry,
    };
    expect(decideOn(canceled, underWay)).toMatchObject({
      is_unchanged: true,
      operation: null,
      authorization_ended_as: "canceled",
    });
    const ended = { ...underWay, attempt: { authorization_ended_as: "expired" as const } };
    expect(decideOn(done, ended)).toMatchObject({
      order_status: "SUCCESS",
      captures_minor: 30n,
      releases_minor: 70n,
      operation: { status: "succeeded" },
    });
    for (const failureClass of ["hard_decline", "transient_decline"] as const) {
      expect(decideOn(failed(failureClass), ended)).toMatchObject({
        order_status: "CANCELED",
        cause: "expired",
        releases_minor: 100n,
        operation: { status: "failed", is_new_key: false },
      });
    }
  });

  test("that was made before the authorisation was given up is booked, and ends the order", () => {
    expect(
      decideOn({ ...canceled, captured: money(30n) }, { capturing: 30n, operation: capture(30n) }),
    ).toMatchObject({
      order_status: "SUCCESS",
      captures_minor: 30n,
      releases_minor: 70n,
      operation: { status: "succeeded" },
    });
  });

  test("is followed by a void where the PSP keeps what a last capture leaves", () => {
    const last = { operation: capture(30n, { is_final: true }), releases_rest: false };
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
      decideOn(done, { operation: capture(100n, { is_final: true }), releases_rest: false }),
    ).toMatchObject({ order_status: "SUCCESS", releases_minor: 0n, void_cause: null });
  });

  test("is not moved by what the PSP tells unclearly by itself: that is a case for a person", () => {
    const underWay = {
      captured: 20n,
      capturing: 30n,
      operation: capture(30n, { status: "pending" as const }),
      source: inquiry,
    };
    expect(decideOn(unknown, { ...underWay, source: webhook })).toMatchObject({
      is_unchanged: true,
      operation: null,
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
    expect(decideOn(declined, { capturing: 30n, operation: capture(30n), source: inquiry })).toBeNull();
  });

  test("of a payment that has ended is given up without touching the order; one that was made all the same raises an alarm", () => {
    const over = {
      order: { status: "CANCELED" as const },
      attempt: { status: "canceled" as const },
      capturing: 30n,
      operation: capture(30n),
    };
    expect(decideOn(failed("hard_decline"), over)).toMatchObject({
      is_unchanged: true,
      alarm: null,
      operation: { status: "failed" },
    });
    expect(decideOn(done, over)).toMatchObject({
      is_unchanged: true,
      alarm: expect.stringContaining("30") as string,
      operation: { status: "failed", failure: { code: "captured_too_late" } },
    });
  });

  test("that the PSP reports as the opposite of what we hold raises an alarm", () => {
    expect(
      decideOn(failed("hard_decline"), {
        captured: 30n,
        operation: capture(30n, { status: "succeeded" }),
        source: inquiry,
      }),
    ).toMatchObject({ is_unchanged: true, alarm: expect.any(String) as string });
    const over = {
      order: { status: "CANCELED" as const },
      attempt: { status: "canceled" as const },
      source: inquiry,
    };
    expect(decideOn(done, { ...over, operation: capture(30n, { status: "failed" }) })).toMatchObject({
      is_unchanged: true,
      alarm: expect.any(String) as string,
    });
    expect(decideOn(done, { operation: capture(30n, { status: "succeeded" }), source: inquiry })).toBeNull();
  });
});
