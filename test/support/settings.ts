import { loadConfig } from "../../src/config/config.ts";
import { messageOf } from "../../src/errors.ts";

/** Enough to start in production. */
export const production = {
  SECRET_KEY: "9f2c81d07b3e64a5f80d1c27b6e3945a",
  DATABASE_URL: "postgres://pacioli@db/pacioli",
  PSP_STRIPE_SECRET_KEY: "sk_live_q7Zt0cVb3NfYw8RkXe5LmA2s",
};

/** The faults that loading names, one per line; none: it loaded. */
export function faultsOf(mode: "development" | "production", environment: Record<string, string>): string[] {
  try {
    loadConfig(mode, environment);
    return [];
  } catch (error) {
    return messageOf(error)
      .split("\n")
      .slice(1)
      .map((line) => line.trim());
  }
}

/** Accounts at two PSPs, and the secrets that they name. */
export const eu = { name: "stripe-eu", kind: "stripe", secret_key_env: "STRIPE_EU_KEY" };
export const adyen = {
  name: "adyen-1",
  kind: "adyen",
  secret_key_env: "ADYEN_KEY",
  merchant_account: "Shop_DE",
  return_url: "https://shop.example/back",
  live_endpoint_prefix: "1797a841fbb37ca7-Shop",
};
export const secrets = {
  STRIPE_EU_KEY: "sk_live_h4Jd9TzQ1xCv6GwBn0KpYr7U",
  ADYEN_KEY: "AQEqhmfxKo7NbR3dJ9wPzX5cT0vL8sMy",
};
const isExternal = (account: unknown): boolean =>
  typeof account === "object" && account !== null && "kind" in account && account.kind === "external";
export const withAccounts = (...accounts: unknown[]): Record<string, string> => ({
  ...secrets,
  // Beside accounts that take cards the settings of one Stripe account are refused.
  ...(accounts.every(isExternal) ? {} : { PSP_STRIPE_SECRET_KEY: "" }),
  PSP_ACCOUNTS: JSON.stringify(accounts),
});
