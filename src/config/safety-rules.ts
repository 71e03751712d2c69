/** Unsafe settings, most of which only production refuses: each would let somebody in or eavesdrop. */
import { isLoopback } from "./loopback.ts";
import { accountOfVariables, adapterOf, adapters, type CardAccount } from "../psp/adapters.ts";
import { isTooWide } from "./proxy-networks.ts";
import { weaknessOf, weaknessOfIssued, withoutPrefix } from "./secret-strength.ts";
import type { SettingsReader } from "./settings-reader.ts";

/** The API key of development: it stands in the README. */
export const built_in_api_key = "sk_dev";
const how_to_make_secrets = "make one with `openssl rand -base64 32`";

const where_secrets_are = "take the whole secret from the PSP's dashboard";

const { variables, development_keys } = accountOfVariables;

type ExternalSecrets = {
  readonly name: string;
  readonly kind: string;
  readonly webhook_secrets: readonly string[];
};

type SafetySettings = {
  readonly mode: "development" | "production";
  readonly secret_key: string;
  readonly clock_offset_seconds: number;
  readonly database_url: string | undefined;
  readonly api_key: string | undefined;
  readonly trusted_proxies: readonly string[];
  readonly payments: { readonly unknown_quiet_seconds: number };
  readonly psp: {
    readonly are_test_keys_allowed: boolean;
    readonly accounts: readonly CardAccount[];
    readonly external_accounts: readonly ExternalSecrets[];
  };
};

/**
 * Everybody knows the built-in key. No rule of the settings, since commands that do not listen share them:
 * the image sets HOST for `migrate` too.
 */
export function assertBuiltInKeyStaysLocal({
  api_key,
  host,
}: {
  api_key: string | undefined;
  host: string;
}): void {
  if (api_key !== built_in_api_key || isLoopback(host)) return;
  throw new Error(
    `The settings are not right:\n  HOST: "${host}" is reached from other machines, and everybody knows ` +
      `the key ${built_in_api_key}: set a PACIOLI_API_KEY of your own, or HOST to 127.0.0.1`,
  );
}

/** Adds the faults of these settings to the reader's. */
export function checkSafety(read: SettingsReader, settings: SafetySettings): void {
  if (settings.mode === "production") checkProduction(read, settings);
  checkPspAddresses(read, settings);
  for (const network of settings.trusted_proxies.filter(isTooWide)) {
    read.faults.push(
      `TRUST_PROXY: "${network}" is wider than a /8, so clients could name any address as their own: ` +
        "name only your proxies",
    );
  }
}

/** Settings that production requires and development does not. */
function checkProduction(read: SettingsReader, settings: SafetySettings): void {
  const { secret_key, psp, payments } = settings;
  const weakness = weaknessOf(secret_key);
  if (weakness !== undefined) {
    const fault = secret_key === "" ? "is missing" : weakness;
    read.faults.push(`SECRET_KEY: ${fault}: ${how_to_make_secrets}`);
  }
  if (settings.clock_offset_seconds !== 0) {
    read.faults.push("CLOCK_OFFSET_SECONDS: moves the business time, for tests only: unset it");
  }
  if (read.variable("NODE_TLS_REJECT_UNAUTHORIZED") === "0") {
    read.faults.push(
      "NODE_TLS_REJECT_UNAUTHORIZED: turns off the check of every certificate, the PSPs' too: unset it, " +
        "and name a CA of your own in NODE_EXTRA_CA_CERTS",
    );
  }
  if (settings.database_url === undefined) {
    read.faults.push(
      "DATABASE_URL: set the service's login, or use `pacioli dev` for the embedded PostgreSQL",
    );
  }
  if (payments.unknown_quiet_seconds < 86_400) {
    read.faults.push(
      "PSP_UNKNOWN_QUIET_SECONDS: set at least 86400, " +
        "or a charge that the PSP carries out late is made a second time",
    );
  }
  if (settings.api_key !== undefined) {
    read.faults.push(
      "PACIOLI_API_KEY: is for development only: make keys with `pacioli keys create`, which can be revoked",
    );
  }
  for (const account of psp.accounts) {
    checkAccountSecrets(read, account);
    if (!psp.are_test_keys_allowed) refuseTestKey(read, account);
  }
  for (const account of psp.external_accounts) checkExternalSecrets(read, account);
}

/** Whoever knows a webhook's secret can report payments that were never made. */
function checkAccountSecrets(
  read: SettingsReader,
  { name, kind, secret_key, webhook_secrets }: CardAccount,
): void {
  const adapter = adapterOf(kind) ?? {};
  if (development_keys.includes(secret_key)) {
    const cardKinds = adapters.filter(({ takes_cards }) => takes_cards).map((one) => one.kind);
    read.faults.push(
      `${variables.secret_key}: set your ${accountOfVariables.psp} secret key, ` +
        `or give PSP_ACCOUNTS an account that takes cards (${cardKinds.join(", ")})`,
    );
  } else {
    pushWeakness(read, settingOfKey(read, name, secret_key), weaknessOfIssued(secret_key, adapter));
  }
  for (const secret of webhook_secrets) {
    const isOfVariables = read.list(variables.webhook_secrets).includes(secret);
    const setting = isOfVariables
      ? `${variables.webhook_secrets}: one`
      : `PSP_ACCOUNTS: a webhook secret of ${name}`;
    pushWeakness(read, setting, weaknessOfIssued(secret, adapter));
  }
}

/** The operator makes these, so they must be as strong as SECRET_KEY. */
function checkExternalSecrets(read: SettingsReader, { name, kind, webhook_secrets }: ExternalSecrets): void {
  const adapter = adapterOf(kind) ?? {};
  const weaknesses = webhook_secrets.map((secret) => weaknessOf(withoutPrefix(secret, adapter)));
  const weakness = weaknesses.find((one) => one !== undefined);
  if (weakness === undefined) return;
  read.faults.push(`PSP_ACCOUNTS: a webhook secret of ${name} ${weakness}: ${how_to_make_secrets}`);
}

/** With a test key, or on a platform for tests, everybody's test cards pay, and the goods go out. */
function refuseTestKey(read: SettingsReader, account: CardAccount): void {
  const { name, kind, secret_key } = account;
  if (development_keys.includes(secret_key)) return;
  const adapter = adapterOf(kind);
  const where = "set ALLOW_TEST_KEYS=true where no goods are sent";
  const missing = adapter?.missingForLive?.(account);
  if (missing !== undefined) {
    read.faults.push(
      `PSP_ACCOUNTS: ${name} has no ${missing}, so it is called on the PSP's test platform, ` +
        `where test cards count as paid: set it, or ${where}`,
    );
  }
  if (adapter?.isTestKey(secret_key) !== true) return;
  read.faults.push(
    `${settingOfKey(read, name, secret_key)} is a test key, with which test cards count as paid: ` +
      `use the live one, or ${where}`,
  );
}

const settingOfKey = (read: SettingsReader, name: string, secret_key: string): string =>
  secret_key === read.text(variables.secret_key)
    ? `${variables.secret_key}:`
    : `PSP_ACCOUNTS: the secret key of ${name}`;

function pushWeakness(read: SettingsReader, setting: string, weakness: string | undefined): void {
  if (weakness !== undefined) read.faults.push(`${setting} ${weakness}: ${where_secrets_are}`);
}

/**
 * A PSP's key and card tokens travel to its address. Only development may call one on this machine in the
 * clear.
 */
function checkPspAddresses(read: SettingsReader, { mode, psp }: SafetySettings): void {
  const hasAccounts = read.text("PSP_ACCOUNTS") !== undefined;
  const base_of_variables = URL.parse(read.text(variables.api_base, ""))?.href;
  for (const [index, { api_base }] of psp.accounts.entries()) {
    if (api_base === undefined || api_base.protocol === "https:") continue;
    if (mode === "development" && isLoopback(api_base.hostname)) continue;
    // Accounts that take no cards leave the account of variables in use.
    const setting =
      hasAccounts && api_base.href !== base_of_variables
        ? `PSP_ACCOUNTS[${index}].api_base`
        : variables.api_base;
    const alternative = mode === "development" ? ", or name this machine (127.0.0.1)" : "";
    read.faults.push(`${setting}: must begin with https${alternative}`);
  }
}
