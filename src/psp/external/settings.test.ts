import { describe, expect, test } from "vitest";
import { loadConfig } from "../../config/config.ts";
import { messageOf } from "../../errors.ts";

/** The faults of a start in development. */
function faultsOf(environment: Record<string, string>): string[] {
  try {
    loadConfig("development", environment);
    return [];
  } catch (error) {
    return messageOf(error)
      .split("\n")
      .slice(1)
      .map((line) => line.trim());
  }
}

describe("external accounts", () => {
  const base64 = (bytes: number): string => Buffer.alloc(bytes, 7).toString("base64");
  const cash = { name: "cash", kind: "external", webhook_secrets_env: "CASH_SECRETS" };
  const secrets = {
    CASH_SECRETS: `whsec_${base64(24)},${base64(33)}`,
    BANK_SECRETS: `whsec_${base64(48)}`,
    EU_KEY: "sk_eu",
  };
  const withAccounts = (...accounts: unknown[]): Record<string, string> => ({
    ...secrets,
    PSP_ACCOUNTS: JSON.stringify(accounts),
  });

  test("stand beside the account of Stripe's settings, or beside those that are given", () => {
    const alone = loadConfig("development", { ...withAccounts(cash), PSP_STRIPE_SECRET_KEY: "sk_1" }).psp;
    expect(alone.accounts).toMatchObject([{ name: "stripe", secret_key: "sk_1" }]);
    expect(alone.external_accounts).toEqual([
      {
        name: "cash",
        kind: "external",
        webhook_secrets: [`whsec_${base64(24)}`, base64(33)],
        overdue_seconds: 604_800,
      },
    ]);
    const beside = loadConfig(
      "development",
      withAccounts(
        { ...cash, overdue_seconds: 60 },
        { name: "stripe", kind: "stripe", secret_key_env: "EU_KEY" },
      ),
    ).psp;
    expect(beside.accounts).toMatchObject([{ name: "stripe", secret_key: "sk_eu" }]);
    expect(beside.external_accounts).toMatchObject([{ name: "cash", overdue_seconds: 60 }]);
  });

  test.each<[string, unknown, Record<string, string>?]>([
    ["name", { ...cash, name: "stripe" }],
    ["name", { ...cash, name: "payment-status" }],
    ["webhook_secrets_env", { ...cash, webhook_secrets_env: undefined }],
    ["webhook_secrets_env", { ...cash, webhook_secrets_env: "NOT_SET" }],
    ["webhook_secrets_env", cash, { CASH_SECRETS: `whsec_${base64(23)}` }],
    ["webhook_secrets_env", cash, { CASH_SECRETS: `whsec_${base64(24)},short` }],
    ["webhook_secrets_env", cash, { CASH_SECRETS: `whsec_${"not*base64".repeat(4)}` }],
    ["secret_key_env", { ...cash, secret_key_env: "EU_KEY" }],
    ["api_base", { ...cash, api_base: "https://x" }],
    ["timeout_seconds", { ...cash, timeout_seconds: 3 }],
    ["calls_at_once_max", { ...cash, calls_at_once_max: 3 }],
    ["merchant_account", { ...cash, merchant_account: "Shop" }],
    ["overdue_seconds", { ...cash, overdue_seconds: 0 }],
    ["overdue_seconds", { name: "stripe-eu", kind: "stripe", secret_key_env: "EU_KEY", overdue_seconds: 60 }],
  ])("one with a wrong %s is a fault that names the field: %j", (field, account, more = {}) => {
    expect(faultsOf({ ...withAccounts(account), ...more })).toEqual([
      expect.stringContaining(`PSP_ACCOUNTS[0].${field}: `),
    ]);
  });

  test("a variable that is not set is named, unless it may be a secret in the wrong place", () => {
    const faultWith = (webhook_secrets_env: string): string[] =>
      faultsOf({ ...withAccounts({ ...cash, webhook_secrets_env }), CASH_SECRETS: "" });
    expect(faultWith("CASH_SECRETS")).toEqual([
      "PSP_ACCOUNTS[0].webhook_secrets_env: names CASH_SECRETS, which is not set",
    ]);
    expect(faultWith(`A${"0F".repeat(20)}`)).toEqual([
      "PSP_ACCOUNTS[0].webhook_secrets_env: names a variable, which is not set",
    ]);
  });

  test("two that share a secret are refused, for it tells who speaks, and a rule may name none", () => {
    const shared = {
      ...withAccounts(cash, { ...cash, name: "bank", webhook_secrets_env: "BANK_SECRETS" }),
      BANK_SECRETS: `whsec_${base64(33)}`,
    };
    expect(faultsOf(shared)).toEqual(
      [0, 1].map(
        (index) => expect.stringContaining(`PSP_ACCOUNTS[${index}].webhook_secrets_env: `) as string,
      ),
    );
    expect(faultsOf({ ...withAccounts(cash), PSP_ROUTING: '[{"to":[{"psp":"cash"}]}]' })).toEqual([
      expect.stringContaining("PSP_ROUTING[0].to[0].psp: "),
    ]);
  });
});
