import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { weaknessOf } from "./secret-strength.ts";

test.each([
  ["", /shorter than 32/],
  ["x", /shorter than 32/],
  ["0123456789abcdef0123456789abcde", /shorter than 32/],
  ["a".repeat(64), /fewer than 8/],
  ["abcabcab".repeat(5), /fewer than 8/],
  ["0011223".repeat(6), /fewer than 8/],
  ["0123456789abcdef0123456789abcdef", /repeats itself/],
  ["correct-horse-battery!".repeat(2), /repeats itself/],
  ["0123456789abcdefghijklmnopqrstuvwxyz", /row of neighbouring/],
  ["aaaaaaaaaaaaaaaaaaaaaaaaaaaaabcdefghi", /row of neighbouring/],
  ["zyxwvutsrqponmlkjihgfedcba9876543210", /row of neighbouring/],
  ["please-change-me-before-production-2026", /example/],
  ["my-very-long-password-for-pacioli-4711", /example/],
  ["YOUR_SECRET_GOES_HERE_0123456789ABCD", /example/],
])("%j is refused with its reason", (secret, reason) => {
  expect(weaknessOf(secret)).toMatch(reason);
});

test("the reason never repeats the secret", () => {
  const secret = "hunter2-hunter2-hunter2-hunter2-";
  expect(weaknessOf(secret)).not.toContain("hunter2");
});

test("random secrets pass, as openssl writes them", () => {
  for (let round = 0; round < 3_000; round++) {
    const bytes = randomBytes(32);
    const texts = [
      bytes.toString("hex"),
      bytes.toString("base64"),
      bytes.toString("base64url"),
      bytes.subarray(0, 24).toString("base64"),
      bytes.subarray(0, 16).toString("hex"),
    ];
    expect(texts.map(weaknessOf), texts.join(" ")).toEqual(texts.map(() => undefined));
  }
});
