import { hash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { adyen, eu, faultsOf, production, secrets, withAccounts } from "../../test/support/settings.ts";
import { loadConfig } from "./config.ts";

describe("addresses of PSPs", () => {
  const withBase = (api_base: string): Record<string, string> => ({
    ADYEN_KEY: secrets.ADYEN_KEY,
    PSP_STRIPE_SECRET_KEY: "",
    PSP_ACCOUNTS: JSON.stringify([{ ...adyen, api_base }]),
  });

  test.each([
    "http://127.0.0.1:12111",
    "http://localhost:12111",
    "http://[::1]:12111",
    "http://api.stripe.example",
    "ftp://127.0.0.1",
  ])("must have https in production: %s", (base) => {
    expect(faultsOf("production", { ...production, PSP_STRIPE_API_BASE: base })).toEqual([
      expect.stringMatching(/^PSP_STRIPE_API_BASE: .*https/),
    ]);
    expect(faultsOf("production", { ...production, ...withBase(base) })[0]).toMatch(
      /^PSP_ACCOUNTS\[0\]\.api_base: /,
    );
  });

  test("may be without TLS in development on this machine, and nowhere else", () => {
    for (const base of [
      "http://127.0.0.1:12111",
      "http://127.1.2.3:1",
      "http://localhost:12111",
      "http://[::1]:12111",
      "https://psp.example",
    ]) {
      expect(faultsOf("development", { PSP_STRIPE_API_BASE: base })).toEqual([]);
      expect(faultsOf("development", withBase(base))).toEqual([]);
    }
    for (const base of [
      "http://10.0.0.7:12111",
      "http://psp.example",
      "http://127.0.0.1.psp.example",
      "http://localhost.psp.example",
      "http://[::2]",
    ]) {
      expect(faultsOf("development", { PSP_STRIPE_API_BASE: base })).toEqual([
        expect.stringMatching(/^PSP_STRIPE_API_BASE: .*https/),
      ]);
      expect(faultsOf("development", withBase(base))).toEqual([
        expect.stringMatching(/^PSP_ACCOUNTS\[0\]\.api_base: /),
      ]);
    }
  });
});

test("without PSP_ACCOUNTS the settings of Stripe make one account, which takes every order", () => {
  const { accounts, routing } = loadConfig("development", {
    PSP_STRIPE_SECRET_KEY: "sk_1",
    PSP_STRIPE_WEBHOOK_SECRET: "whsec_a, whsec_b",
    PSP_CONCURRENCY: "7",
  }).psp;
  expect(accounts).toEqual([
    {
      name: "stripe",
      kind: "stripe",
      secret_key: "sk_1",
      webhook_secrets: ["whsec_a", "whsec_b"],
      api_base: undefined,
      timeout_seconds: 10,
      calls_at_once_max: 9,
    },
  ]);
  expect(routing).toEqual([]);
});

describe("several PSPs", () => {
  test("accounts are read with their secrets from the variables they name, or from those variables' files, and with their own limits", () => {
    const folder = mkdtempSync(join(tmpdir(), "pacioli-config-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const file = join(folder, "secrets");
    const hmacKeys = ["3f07c1", "b82e5d"].map((salt) => hash("sha256", salt));
    writeFileSync(file, `${hmacKeys.join()}\n`);
    const full = {
      ...adyen,
      webhook_secrets_env: "ADYEN_HMAC_FILE",
      api_base: "https://psp.example/adyen",
      timeout_seconds: 2.5,
      calls_at_once_max: 8,
      live_endpoint_prefix: "abc-Shop",
    };
    const { accounts, timeout_seconds } = loadConfig("production", {
      ...production,
      ...withAccounts(eu, full),
      ADYEN_HMAC_FILE: file,
      PSP_TIMEOUT_SECONDS: "4",
    }).psp;
    expect(accounts).toEqual([
      {
        name: "stripe-eu",
        kind: "stripe",
        secret_key: secrets.STRIPE_EU_KEY,
        webhook_secrets: [],
        api_base: undefined,
        timeout_seconds: 4,
        calls_at_once_max: 80,
      },
      {
        name: "adyen-1",
        kind: "adyen",
        secret_key: secrets.ADYEN_KEY,
        webhook_secrets: hmacKeys,
        api_base: new URL("https://psp.example/adyen"),
        timeout_seconds: 2.5,
        calls_at_once_max: 8,
        merchant_account: "Shop_DE",
        return_url: "https://shop.example/back",
        live_endpoint_prefix: "abc-Shop",
        has_multiple_partial_captures: false,
      },
    ]);
    expect(timeout_seconds).toBe(4);
  });

  test("with accounts of its own production asks for no key of Stripe's", () => {
    const { PSP_STRIPE_SECRET_KEY: _, ...others } = production;
    expect(faultsOf("production", { ...others, ...withAccounts(eu) })).toEqual([]);
    expect(faultsOf("production", others)).toEqual([expect.stringMatching(/^PSP_STRIPE_SECRET_KEY: /)]);
  });

  test.each<[string, unknown]>([
    ["name", { ...eu, name: "Stripe" }],
    ["name", { ...eu, name: "stripe_eu" }],
    ["name", { ...eu, name: "stripe--eu" }],
    ["name", { ...eu, name: "1stripe" }],
    ["name", { ...eu, name: "a/b" }],
    ["name", { ...eu, name: "x".repeat(33) }],
    ["name", { ...eu, name: "payment-status" }],
    ["name", { ...eu, name: 7 }],
    ["name", { ...eu, name: adyen.name }],
    ["kind", { ...eu, kind: "paypal" }],
    ["kind", { ...eu, kind: undefined }],
    ["secret_key_env", { ...eu, secret_key_env: "NOT_SET" }],
    ["secret_key_env", { ...eu, secret_key_env: undefined }],
    ["webhook_secrets_env", { ...eu, webhook_secrets_env: "NOT_SET" }],
    ["secret_key", { ...eu, secret_key: "sk_live_eu" }],
    ["api_base", { ...eu, api_base: "ftp://x" }],
    ["api_base", { ...eu, api_base: "stripe" }],
    ["timeout_seconds", { ...eu, timeout_seconds: 0 }],
    ["timeout_seconds", { ...eu, timeout_seconds: "3" }],
    ["calls_at_once_max", { ...eu, calls_at_once_max: 1.5 }],
    ["merchant_account", { ...eu, merchant_account: "Shop" }],
    ["merchant_account", { ...adyen, name: "a", merchant_account: "" }],
    ["return_url", { ...adyen, name: "a", return_url: undefined }],
    ["live_endpoint_prefix", { ...adyen, name: "a", live_endpoint_prefix: "a/b" }],
  ])("an account with a wrong %s is a fault that names the field: %j", (field, account) => {
    expect(faultsOf("development", withAccounts(adyen, account))).toEqual([
      expect.stringContaining(`PSP_ACCOUNTS[1].${field}: `),
    ]);
  });

  test.each(["{}", "[]", "[", "7", "null", '[{"secret_key": "sk_live_eu"}', "[7]"])(
    "what is no array of accounts is a fault: %s",
    (text) => {
      expect(faultsOf("development", { ...secrets, PSP_ACCOUNTS: text }).join("\n")).toMatch(
        /^PSP_ACCOUNTS(\[0\])?: /,
      );
    },
  );

  test("a secret that stands where its variable's name belongs, or anywhere else in the accounts, is never printed", () => {
    const secret = "44782DEF547AAA06C910C43932B1EB0C";
    const places = [
      "name",
      "kind",
      "secret_key_env",
      "webhook_secrets_env",
      "api_base",
      "timeout_seconds",
      "calls_at_once_max",
      "merchant_account",
      "secret_key",
      "return_url",
    ];
    for (const kind of ["stripe", "adyen"]) {
      for (const place of places) {
        const [fault, ...others] = faultsOf("development", withAccounts({ ...eu, kind, [place]: secret }));
        if (place === "merchant_account" && kind === "adyen") continue;
        expect(fault).toContain("PSP_ACCOUNTS[0].");
        expect([fault, ...others].join()).not.toContain(secret);
      }
    }
    expect(faultsOf("development", { PSP_ACCOUNTS: `[{"secret_key": "${secret}"` }).join()).not.toContain(
      secret,
    );
  });

  test("faults in accounts, rules and other settings are told at once", () => {
    const environment = {
      ...withAccounts(eu, { ...adyen, kind: "x" }, { name: "?" }),
      PSP_ROUTING: '[{"to": []}]',
      PORT: "http",
    };
    const places = faultsOf("development", environment).map((fault) => fault.split(":")[0]);
    expect(places).toEqual(
      expect.arrayContaining([
        "PORT",
        "PSP_ACCOUNTS[1].kind",
        "PSP_ACCOUNTS[2].name",
        "PSP_ACCOUNTS[2].kind",
        "PSP_ACCOUNTS[2].secret_key_env",
        "PSP_ROUTING[0].to",
      ]),
    );
  });

  test("the lease is longer than every account's timeout", () => {
    const faults = faultsOf("development", {
      ...withAccounts(eu, { ...adyen, timeout_seconds: 30 }, { ...eu, name: "slow", timeout_seconds: 45 }),
      JOB_LEASE_SECONDS: "120",
    });
    expect(faults).toEqual([
      expect.stringMatching(/^JOB_LEASE_SECONDS: .*adyen-1/),
      expect.stringMatching(/^JOB_LEASE_SECONDS: .*slow/),
    ]);
  });
});

describe("the account that PSP_STRIPE_SECRET_KEY gives", () => {
  const cash = { name: "cash", kind: "external", webhook_secrets_env: "CASH_SECRETS" };
  const key = { PSP_STRIPE_SECRET_KEY: production.PSP_STRIPE_SECRET_KEY };
  const cashSecrets = { CASH_SECRETS: "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD" };

  test("is not dropped without a word when another account that takes cards comes into PSP_ACCOUNTS", () => {
    for (const mode of ["development", "production"] as const) {
      const faults = faultsOf(mode, { ...production, ...withAccounts(adyen), ...key });
      expect(faults).toEqual([
        expect.stringMatching(/^PSP_STRIPE_SECRET_KEY: .*move it into PSP_ACCOUNTS under the name stripe/),
      ]);
      expect(faults.join()).not.toContain(key.PSP_STRIPE_SECRET_KEY);
    }
  });

  test("may stay set when PSP_ACCOUNTS has it under its name, or has external accounts only", () => {
    const moved = { ...eu, name: "stripe", secret_key_env: "PSP_STRIPE_SECRET_KEY" };
    expect(faultsOf("production", { ...production, ...withAccounts(adyen, moved), ...key })).toEqual([]);
    expect(faultsOf("production", { ...production, ...withAccounts(cash), ...cashSecrets })).toEqual([]);
  });

  test("that only the simulator knows does not keep development from trying PSP_ACCOUNTS", () => {
    const simulator = { PSP_STRIPE_SECRET_KEY: "sk_test_simulator" };
    expect(faultsOf("development", { ...withAccounts(adyen), ...simulator })).toEqual([]);
  });

  test("is required in production beside external accounts, which take no cards: forgotten, it would vanish too", () => {
    const none = { ...withAccounts(cash), ...cashSecrets, PSP_STRIPE_SECRET_KEY: "" };
    expect(faultsOf("production", { ...production, ...none })).toEqual([
      expect.stringMatching(/^PSP_STRIPE_SECRET_KEY: .*PSP_ACCOUNTS an account that takes cards/),
    ]);
  });
});
