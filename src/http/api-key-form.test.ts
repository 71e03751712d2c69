import { expect, test } from "vitest";
import { hasApiKeyForm, newApiKey } from "./api-key-form.ts";

test("every new key has the form of a key, and no two are the same", () => {
  const keys = Array.from({ length: 1_000 }, newApiKey);
  expect(keys.filter((key) => !hasApiKeyForm(key))).toEqual([]);
  expect(new Set(keys)).toHaveLength(1_000);
});

test("a key with any one character changed, missing or added has not the form", () => {
  const key = newApiKey();
  for (let at = 0; at < key.length; at++) {
    const other = key[at] === "A" ? "B" : "A";
    expect(hasApiKeyForm(key.slice(0, at) + other + key.slice(at + 1))).toBe(false);
    expect(hasApiKeyForm(key.slice(0, at) + key.slice(at + 1))).toBe(false);
  }
  for (const text of [
    `${key}A`,
    ` ${key}`,
    `${key}\n`,
    key.toUpperCase(),
    "",
    "sk_",
    "sk_dev",
    "a".repeat(1_000_000),
  ]) {
    expect(hasApiKeyForm(text)).toBe(false);
  }
});
