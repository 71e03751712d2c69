import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { adapterOf } from "../psp/adapters.ts";
import { weaknessOf, weaknessOfIssued } from "./secret-strength.ts";

test.each([
  ["", /shorter than 32/],
  ["x", /shorter than 32/],
  ["0123456789abcdef0123456789abcde", /shorter than 32/],
  ["a".repeat(64), /fewer than 8/],
  ["abcabcab".repeat(5), /fewer than 8/],
  ["0011223".repeat(6), /fewer than 8/],
  ["0123456789abcdef0123456789abcdef", /repeats itself/],
  ["correct-horse-battery!".repeat(2), /repeats itself/],
  ["P@ssw0rdP@ssw0rdP@ssw0rdP@ssw0rd1", /repeats itself/],
  ["supersecretsupersecretsupersecret!", /repeats itself/],
  ["1q2w3e4r5t6y7u8i9o0p1q2w3e4r5t6y", /row of neighbouring/],
  ["0246813579024681357902468135790246", /repeats itself/],
  ["qwertyuiopasdfghjklzxcvbnm123456", /row of neighbouring/],
  ["1q2w3e4r5t6y7u8i9o0p-[=]azsxdcfv", /row of neighbouring/],
  ["a1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d6", /row of neighbouring/],
  ["correct horse battery staple correct", /example/],
  ["pacioli-production-signing-secret-1", /example/],
  ["thunder cobalt wrinkle oboe marmalade", /reads like words/],
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

test.each(["sk_test_4eC39HqLyjWDarjtT1zdp7dc", "sk_test_BQokikJOvBiI2HlWgH4olfQ2"])(
  "a key that everybody can read in the PSP's documentation is refused: %s",
  (key) => {
    expect(weaknessOfIssued(key, adapterOf("stripe") ?? {})).toMatch(/documentation/);
  },
);

test("random secrets pass, as openssl writes them", () => {
  for (let round = 0; round < 3_000; round++) {
    const bytes = randomBytes(32);
    const texts = [
      bytes.toString("hex"),
      bytes.toString("base64"),
      bytes.toString("base64url"),
      bytes.subarray(0, 24).toString("base64"),
      bytes.subarray(0, 16).toString("hex"),
      randomBytes(256).toString("hex"),
    ];
    expect(texts.map(weaknessOf), texts.join(" ")).toEqual(texts.map(() => undefined));
  }
});
