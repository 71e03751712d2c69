import { describe, expect, test } from "vitest";
import { adyen, faultsOf, production, withAccounts } from "../../test/support/settings.ts";
import { loadConfig } from "./config.ts";

test("production has no default for a secret and no development key, and names all that is missing at once", () => {
  const faults = faultsOf("production", { PACIOLI_API_KEY: "sk_dev" });
  expect(faults.map((fault) => fault.split(":")[0])).toEqual([
    "SECRET_KEY",
    "DATABASE_URL",
    "PACIOLI_API_KEY",
    "PSP_STRIPE_SECRET_KEY",
  ]);
});

test("production starts with its secrets set, and lets no key in by itself", () => {
  expect(loadConfig("production", production)).toMatchObject({
    mode: "production",
    api_key: undefined,
    secret_key: production.SECRET_KEY,
  });
});

test.each([
  "hunter2",
  "0123456789abcdef0123456789abcdef",
  "a".repeat(64),
  "please-change-me-please-change-me-2026",
])("a SECRET_KEY that can be guessed is refused in production, and not repeated: %s", (secret) => {
  const faults = faultsOf("production", { ...production, SECRET_KEY: secret });
  expect(faults).toEqual([expect.stringMatching(/^SECRET_KEY: .*openssl rand/)]);
  expect(faults.join()).not.toContain(secret);
});

test.each(["sk_dev", "x", "sk_9f2c81d07b3e64a5f80d1c27b6e3945a1b2c3d4e"])(
  "no PACIOLI_API_KEY starts in production, however good it is: %s",
  (key) => {
    expect(faultsOf("production", { ...production, PACIOLI_API_KEY: key })).toEqual([
      expect.stringMatching(/^PACIOLI_API_KEY: .*keys create/),
    ]);
  },
);

test("the keys of the simulator and of an unset Stripe do not start in production", () => {
  expect(faultsOf("production", { ...production, PSP_STRIPE_SECRET_KEY: "sk_test_simulator" })).toEqual([
    expect.stringMatching(/^PSP_STRIPE_SECRET_KEY: /),
  ]);
});

test("a secret of an external account that can be guessed is refused in production", () => {
  const good = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
  const accounts = {
    PSP_ACCOUNTS: '[{"name":"cash","kind":"external","webhook_secrets_env":"CASH_SECRETS"}]',
  };
  const weak = `whsec_${Buffer.alloc(24, 7).toString("base64")}`;
  expect(faultsOf("production", { ...production, ...accounts, CASH_SECRETS: `${good},${weak}` })).toEqual([
    expect.stringMatching(/^PSP_ACCOUNTS: a webhook secret of cash /),
  ]);
  expect(faultsOf("production", { ...production, ...accounts, CASH_SECRETS: good })).toEqual([]);
});

test("in production no quiet time is so short that a charge that the PSP carries out late is made twice", () => {
  const quiet = (seconds: string): Record<string, string> => ({
    ...production,
    PSP_UNKNOWN_QUIET_SECONDS: seconds,
  });
  expect(faultsOf("production", quiet("86399"))).toEqual([
    expect.stringMatching(/^PSP_UNKNOWN_QUIET_SECONDS: .*86400/),
  ]);
  expect(faultsOf("production", quiet("86400"))).toEqual([]);
  expect(faultsOf("development", { PSP_UNKNOWN_QUIET_SECONDS: "1" })).toEqual([]);
});

test("a process can be told to freeze at a point in development only", () => {
  expect(faultsOf("production", { ...production, FREEZE_POINT: "after_claim:1" })).toEqual([
    expect.stringMatching(/^FREEZE_POINT: /),
  ]);
  expect(faultsOf("development", { FREEZE_POINT: "nowhere:1" })).toEqual([
    expect.stringMatching(/^FREEZE_POINT: /),
  ]);
});

test("production does not start while Node is told not to check certificates", () => {
  const unchecked = { NODE_TLS_REJECT_UNAUTHORIZED: "0" };
  expect(faultsOf("production", { ...production, ...unchecked })).toEqual([
    expect.stringMatching(/^NODE_TLS_REJECT_UNAUTHORIZED: .*NODE_EXTRA_CA_CERTS/),
  ]);
  expect(faultsOf("production", { ...production, NODE_TLS_REJECT_UNAUTHORIZED: "1" })).toEqual([]);
  expect(faultsOf("development", unchecked)).toEqual([]);
});

test("business time can be moved in development only", () => {
  expect(faultsOf("production", { ...production, CLOCK_OFFSET_SECONDS: "1" })).toEqual([
    expect.stringMatching(/^CLOCK_OFFSET_SECONDS: /),
  ]);
  expect(faultsOf("development", { CLOCK_OFFSET_SECONDS: "86400" })).toEqual([]);
});

test("a crash point is refused in production", () => {
  expect(faultsOf("production", { ...production, CRASH_POINT: "after_claim" })).toEqual([
    expect.stringMatching(/^CRASH_POINT: /),
  ]);
});

describe("an account at Adyen without the prefix of the live platform", () => {
  const { live_endpoint_prefix: _, ...test_account } = adyen;
  const settings = (changes: Record<string, unknown> = {}): Record<string, string> => ({
    ...production,
    ...withAccounts({ ...test_account, ...changes }),
  });
  const onTestPlatform =
    /^PSP_ACCOUNTS: adyen-1 has no live_endpoint_prefix, .* test cards count as paid: .*ALLOW_TEST_KEYS=true/;

  test.each([{}, { api_base: "https://checkout-test.adyen.com" }])(
    "is not taken by production: its payments are none (%j)",
    (changes) => {
      expect(faultsOf("production", settings(changes))).toEqual([expect.stringMatching(onTestPlatform)]);
    },
  );

  test("is taken in development, where no goods are sent, and where another address stands for the platform", () => {
    expect(faultsOf("development", settings())).toEqual([]);
    expect(faultsOf("production", { ...settings(), ALLOW_TEST_KEYS: "true" })).toEqual([]);
    expect(faultsOf("production", settings({ api_base: "https://psp.example/adyen" }))).toEqual([]);
  });
});
