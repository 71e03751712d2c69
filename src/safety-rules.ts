/** Unsafe settings, most of which only production refuses: each would let somebody in or eavesdrop. */
import { isLoopback } from "./loopback.ts";
import { weaknessOf } from "./secret-strength.ts";
import type { SettingsReader } from "./settings-reader.ts";

/** The placeholder for Stripe's key, which development does not need. */
export const key_not_configured = "sk_test_not_configured";
const development_psp_keys = [key_not_configured, "sk_test_simulator"];
const how_to_make_secrets = "make one with `openssl rand -base64 32`";

type SafetySettings = {
  readonly mode: "development" | "production";
  readonly secret_key: string;
  readonly database_url: string | undefined;
  readonly api_key: string | undefined;
  readonly payments: { readonly unknown_quiet_seconds: number };
  readonly psp: {
    readonly accounts: readonly { readonly secret_key: string; readonly api_base: URL | undefined }[];
    readonly external_accounts: readonly { readonly name: string; readonly webhook_secrets: readonly string[] }[];
  };
};

/** Adds the faults of these settings to the reader's. */
export function checkSafety(read: SettingsReader, settings: SafetySettings): void {
  if (settings.mode === "production") checkProduction(read, settings);
  checkPspAddresses(read, settings);
}

/** Settings that production requires and development does not. */
function checkProduction(read: SettingsReader, settings: SafetySettings): void {
  const { secret_key, psp, payments } = settings;
  const weakness = weaknessOf(secret_key);
  if (weakness !== undefined) read.faults.push(`SECRET_KEY: ${secret_key === "" ? "is missing" : weakness}: ${how_to_make_secrets}`);
  if (settings.database_url === undefined) {
    read.faults.push("DATABASE_URL: set the service's login, or use `pacioli dev` for the embedded PostgreSQL");
  }
  if (payments.unknown_quiet_seconds < 86_400) {
    read.faults.push("PSP_UNKNOWN_QUIET_SECONDS: set at least 86400, or a charge that the PSP carries out late is made a second time");
  }
  if (settings.api_key !== undefined) {
    read.faults.push("PACIOLI_API_KEY: is for development only: make keys with `pacioli keys create`, which can be revoked");
  }
  if (psp.accounts.some(({ secret_key: key }) => development_psp_keys.includes(key))) {
    read.faults.push("PSP_STRIPE_SECRET_KEY: set your Stripe secret key, or PSP_ACCOUNTS");
  }
  for (const { name, webhook_secrets } of psp.external_accounts) {
    const fault = webhook_secrets.map((secret) => weaknessOf(secret.replace(/^whsec_/, ""))).find((weak) => weak !== undefined);
    if (fault !== undefined) read.faults.push(`PSP_ACCOUNTS: a webhook secret of ${name} ${fault}: ${how_to_make_secrets}`);
  }
}

/**
 * A PSP's key and card tokens travel to its address. Only development may call one on this machine in the
 * clear.
 */
function checkPspAddresses(read: SettingsReader, { mode, psp }: SafetySettings): void {
  const hasAccounts = read.text("PSP_ACCOUNTS") !== undefined;
  const stripe_base = URL.parse(read.text("PSP_STRIPE_API_BASE", ""))?.href;
  for (const [index, { api_base }] of psp.accounts.entries()) {
    if (api_base === undefined || api_base.protocol === "https:") continue;
    if (mode === "development" && isLoopback(api_base.hostname)) continue;
    // Accounts that take no cards leave Stripe's settings in force.
    const setting = hasAccounts && api_base.href !== stripe_base ? `PSP_ACCOUNTS[${index}].api_base` : "PSP_STRIPE_API_BASE";
    read.faults.push(`${setting}: must begin with https${mode === "development" ? ", or name this machine (127.0.0.1)" : ""}`);
  }
}
