import { expect, test } from "vitest";
import { AppError, errorRegistry, messageOf } from "./errors.ts";

test("every code is snake_case, has a status of a failure and a title of its own", () => {
  const rows = Object.entries(errorRegistry);
  for (const [code, { status, title }] of rows) {
    expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/);
    expect(status).toBeGreaterThanOrEqual(400);
    expect(status).toBeLessThan(600);
    expect(title).toMatch(/^[A-Z].*[^.]$/);
  }
  expect(new Set(rows.map(([, { title }]) => title))).toHaveLength(rows.length);
});

test("what may succeed later is a request that was too slow, a conflict with something running, a limit or a failure of ours, and every failure of ours is", () => {
  const rows: { status: number; is_retryable: boolean }[] = Object.values(errorRegistry);
  for (const { status, is_retryable } of rows) {
    if (is_retryable) expect([408, 409, 429, 500, 503]).toContain(status);
    else expect(status).toBeLessThan(500);
  }
});

test("an error carries its code, its status and what else is known of it", () => {
  const cause = new Error("socket closed");
  const fault = { param: "amount", code: "invalid_amount", message: "is not a plain decimal." } as const;
  const error = new AppError("unavailable", "Not now.", {
    param: "amount",
    errors: [fault],
    retry_after_seconds: 3,
    cause,
  });
  expect(error).toMatchObject({
    code: "unavailable",
    status: 503,
    message: "Not now.",
    param: "amount",
    errors: [fault],
    retry_after_seconds: 3,
    cause,
  });
  expect(new AppError("not_found", "Nothing.")).toMatchObject({
    status: 404,
    param: undefined,
    errors: [],
    retry_after_seconds: undefined,
  });
});

test("whatever was thrown has a message", () => {
  expect([new Error("broken"), "text", 7, null, undefined].map(messageOf)).toEqual([
    "broken",
    "text",
    "7",
    "null",
    "undefined",
  ]);
});
