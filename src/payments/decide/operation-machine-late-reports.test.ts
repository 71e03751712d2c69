import { describe, expect, test } from "vitest";
import { inquiry, unknown, webhook } from "../../../test/support/charge-decisions.ts";
import {
  answerTo,
  authorized,
  capture,
  decideOn,
  done,
  failed,
} from "../../../test/support/operation-decisions.ts";

describe("a capture that was decided wrongly", () => {
  const wrong = { operation: capture(30n, { status: "failed" }) };

  test("is booked when the PSP says that it was made and there is room for it, with an alarm", () => {
    for (const source of [answerTo(1), inquiry, webhook]) {
      expect(decideOn(done, { ...wrong, source })).toMatchObject({
        order_status: "AUTHORIZED",
        captures_minor: 30n,
        operation: { status: "succeeded" },
        alarm: expect.any(String) as string,
      });
    }
    expect(decideOn(authorized(30n), wrong)).toMatchObject({
      captures_minor: 30n,
      operation: { status: "succeeded" },
    });
    expect(decideOn(done, { ...wrong, captured: 50n, capturing: 21n })).toMatchObject({
      is_unchanged: true,
      captures_minor: 0n,
      alarm: expect.any(String) as string,
    });
  });

  test("is not so by a state that came late, which may speak of another one", () => {
    expect(decideOn(authorized(30n), { ...wrong, capturing: 30n, source: inquiry })).toBeNull();
  });

  test("raises an alarm when the PSP has taken more than is captured and under way", () => {
    const made = { captured: 30n, operation: capture(30n, { status: "succeeded" }) };
    expect(decideOn(authorized(60n), made)).toMatchObject({
      is_unchanged: true,
      captures_minor: 0n,
      alarm: expect.stringContaining("60") as string,
    });
    expect(decideOn(authorized(60n), { ...made, capturing: 30n })).toBeNull();
  });
});

describe("an answer to a request with an earlier key", () => {
  const overtaken = { capturing: 30n, operation: capture(30n, { key_number: 2 }), source: answerTo(1) };

  test("says nothing of the later one, unless that it was done after all", () => {
    for (const outcome of [failed("transient_decline"), failed("hard_decline"), unknown, authorized(0n)])
      expect(decideOn(outcome, overtaken)).toBeNull();
    expect(decideOn(done, overtaken)).toMatchObject({
      captures_minor: 30n,
      operation: { status: "succeeded" },
    });
    expect(
      decideOn(failed("transient_decline"), { ...overtaken, source: answerTo(2) })?.operation,
    ).toMatchObject({ status: "queued", is_new_key: true });
  });
});
