import { describe, expect, test } from "vitest";
import { pending, unknown, webhook } from "../../../test/support/charge-decisions.ts";
import { authorized, canceled, decideOn, succeeded } from "../../../test/support/operation-decisions.ts";

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
        alarm: expect.stringContaining("pi_1") as string,
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
    expect(decideOn(unknown, { source: webhook })).toMatchObject({ is_unchanged: true, alarm: "No answer." });
  });

  test("is not moved by an old report", () => {
    for (const outcome of [authorized(0n), authorized(40n), succeeded(30n), pending])
      expect(decideOn(outcome, { captured: 40n })).toBeNull();
  });
});
