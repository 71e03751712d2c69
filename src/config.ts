/** The only place that reads the environment. */
import { randomBytes } from "node:crypto";
import { resolve } from "node:path";
import { readDatabaseAddresses } from "./database-address.ts";
import { externalAccountOf, shareSecret, type ExternalAccount } from "./external-account.ts";
import { isCurrencyCode } from "./money/money.ts";
import { armCrashPoint, crashPointNames, type PaymentSettings } from "./payments/payments.ts";
import { built_in_api_key, checkSafety, key_not_configured } from "./safety-rules.ts";
import { SettingsReader, isWebUrl, textsOf, type Environment, type Fields } from "./settings-reader.ts";

export { assertBuiltInKeyStaysLocal } from "./safety-rules.ts";

/** In development everything has a default; in production secrets have none. */
export type Mode = "development" | "production";

export type Config = {
  readonly mode: Mode;
  readonly host: string;
  readonly port: number;
  /** Where health and metrics are served, without a key. */
  readonly operations: { readonly host: string; readonly port: number };
  readonly allowed_hosts: readonly string[];
  readonly trusted_proxies: readonly string[];
  /** Where buyers may be sent back to. Production has to list the origins, or set `*`. */
  readonly return_url_origins: readonly string[] | "any";
  readonly status_link_seconds: number;
  readonly log_level: string;
  /** Signs list cursors and links to status pages. */
  readonly secret_key: string;
  /** Undefined: start the embedded PostgreSQL under `data_dir`. */
  readonly database_url: string | undefined;
  /** The owner's login, for migrations; the service's own where none is given. */
  readonly migration_database_url: string | undefined;
  readonly data_dir: string;
  readonly database_connections_max: number;
  /** Reads have a pool of their own behind a bounded queue. */
  readonly reads: { readonly connections_max: number; readonly waiting_max: number };
  /** A key with every scope, in development only; in production keys are made with `pacioli keys create`. */
  readonly api_key: string | undefined;
  readonly rate_limit_per_second: number;
  /** Requests of one API key in progress at once. */
  readonly calls_at_once_max: number;
  /** How long a whole request may take to arrive. */
  readonly request_timeout_seconds: number;
  readonly payments: PaymentSettings;
  readonly psp: {
    /** The first takes the orders for which there is no rule. */
    readonly accounts: readonly [PspAccount, ...PspAccount[]];
    /** For money collected outside a PSP's API: chosen by each checkout, never by a rule. */
    readonly external_accounts: readonly ExternalAccount[];
    readonly routing: readonly RoutingRule[];
    /** The longest that a call to any of them may take. */
    readonly timeout_seconds: number;
    readonly breaker_failures: number;
    readonly breaker_open_seconds: number;
  };
  readonly simulator: {
    readonly port: number;
    readonly success_rate: string;
    readonly webhook_url: string | undefined;
  };
};

/** A PSP as it is called: two accounts at one PSP are two. */
export type PspAccount = {
  /** Part of attempts, ledger accounts and webhook URLs, so it must not change. */
  readonly name: string;
  readonly secret_key: string;
  readonly webhook_secrets: readonly string[];
  /** Undefined: the PSP's own. */
  readonly api_base: URL | undefined;
  readonly timeout_seconds: number;
  readonly calls_at_once_max: number;
} & ({ readonly kind: "stripe" } | AdyenSettings);

type AdyenSettings = {
  readonly kind: "adyen";
  readonly merchant_account: string;
  /** Where a buyer would come back to from a page of Adyen's. */
  readonly return_url: string;
  /** Enabled by Adyen for the merchant account: captures leave the rest as it is. */
  readonly has_multiple_partial_captures: boolean;
  /** Undefined: Adyen's test platform. */
  readonly live_endpoint_prefix: string | undefined;
};

/** As `psp/routing-rules.ts` explains it. */
type RoutingRule = {
  readonly when: {
    readonly currencies: readonly string[] | undefined;
    readonly amount_minor_min: bigint | undefined;
    readonly amount_minor_max: bigint | undefined;
    readonly card_countries: readonly string[] | undefined;
  };
  readonly to: readonly { readonly psp: string; readonly weight: number }[];
};

/** The settings from the environment. Errors with every fault in one message. */
export function loadConfig(mode: Mode, environment: Environment = process.env): Config {
  const read = new SettingsReader(environment);
  const isDevelopment = mode === "development";
  const payments = paymentSettings(read);
  const { accounts, external_accounts } = pspAccounts(read, payments.psp_concurrency);
  const config: Config = {
    mode,
    host: read.text("HOST", "127.0.0.1"),
    port: read.number("PORT", 8_000, { min: 0, max: 65_535 }),
    operations: {
      host: read.text("OPERATIONS_HOST", "127.0.0.1"),
      port: read.number("OPERATIONS_PORT", 8_001, { min: 0, max: 65_535 }),
    },
    allowed_hosts: read.list("ALLOWED_HOSTS"),
    trusted_proxies: read.addresses("TRUST_PROXY"),
    return_url_origins: read.origins("RETURN_URL_ORIGINS") ?? (isDevelopment ? "any" : []),
    status_link_seconds: read.number("STATUS_LINK_SECONDS", 2_592_000, { min: 60, max: 31_536_000 }),
    log_level: read.text(
      "LOG_LEVEL",
      read.text("DEBUG") === "true" ? "debug" : isDevelopment ? "warn" : "info",
    ),
    secret_key: read.text("SECRET_KEY") ?? (isDevelopment ? randomBytes(32).toString("hex") : ""),
    ...readDatabaseAddresses(read),
    data_dir: resolve(read.text("PACIOLI_DATA_DIR", ".pacioli")),
    database_connections_max: read.number("DATABASE_CONNECTIONS_MAX", 12, { min: 4, max: 500 }),
    reads: {
      connections_max: read.number("READ_CONNECTIONS_MAX", 4, { min: 1, max: 500 }),
      waiting_max: read.number("READS_WAITING_MAX", 1_000, { min: 0, max: 100_000 }),
    },
    api_key: read.text("PACIOLI_API_KEY") ?? (isDevelopment ? built_in_api_key : undefined),
    rate_limit_per_second: read.number("RATE_LIMIT_PER_SECOND", 2_000, { min: 1, max: 1_000_000 }),
    calls_at_once_max: read.number("CALLS_AT_ONCE_MAX", 500, { min: 1, max: 1_000_000 }),
    request_timeout_seconds: read.number("REQUEST_TIMEOUT_SECONDS", 30, { min: 1, max: 600 }),
    payments,
    psp: {
      accounts,
      external_accounts,
      routing: routingRules(read, new Set(accounts.map(({ name }) => name))),
      timeout_seconds: Math.max(...accounts.map((account) => account.timeout_seconds)),
      breaker_failures: read.number("PSP_BREAKER_FAILURES", 5, { min: 1, max: 1_000 }),
      breaker_open_seconds: read.number("PSP_BREAKER_OPEN_SECONDS", 60, {
        min: 0.1,
        max: 3_600,
        is_integer: false,
      }),
    },
    simulator: {
      port: read.number("SIMULATOR_PORT", 12_111, { min: 0, max: 65_535 }),
      success_rate: read.text("PSP_SUCCESS_RATE", "1"),
      webhook_url: read.text("PSP_WEBHOOK_URL"),
    },
  };
  check(read, config);
  armFromEnvironment(read, mode);
  if (read.faults.length > 0) throw new Error(`The settings are not right:\n  ${read.faults.join("\n  ")}`);
  return config;
}

function paymentSettings(read: SettingsReader): PaymentSettings {
  return {
    limits: {
      order_max: read.amounts("RISK_ORDER_MAX"),
      buyer_day_max: read.amounts("RISK_BUYER_DAY_MAX"),
      review_from: read.amounts("RISK_REVIEW_FROM"),
    },
    idempotency_hours: read.number("IDEMPOTENCY_KEY_EXPIRY_HOURS", 24, { min: 1, max: 720 }),
    retry_attempts_max: read.number("MAX_RETRY_ATTEMPTS", 5, { min: 1, max: 100 }),
    retry_backoff_base: read.number("RETRY_BACKOFF_BASE", 2, { min: 1, max: 10, is_integer: false }),
    commission_basis_points: BigInt(read.number("COMMISSION_BASIS_POINTS", 0, { min: 0, max: 10_000 })),
    psp_concurrency: read.number("PSP_CONCURRENCY", 64, { min: 1, max: 1_000 }),
    idle_poll_ms: read.number("IDLE_POLL_MS", 200, { min: 10, max: 60_000 }),
    lease_seconds: read.number("JOB_LEASE_SECONDS", 60, { min: 2, max: 3_600 }),
    unknown_quiet_seconds: read.number("PSP_UNKNOWN_QUIET_SECONDS", 90_000, { min: 1, max: 2_592_000 }),
    overdue_seconds: read.number("OVERDUE_SECONDS", 600, { min: 1, max: 86_400 }),
    monitor_seconds: read.number("MONITOR_SECONDS", 60, { min: 1, max: 3_600 }),
    page_seconds: read.number("HOSTED_PAGE_SECONDS", 3_600, { min: 2, max: 86_000 }),
    resolution_approval_amounts: read.amounts("RESOLUTION_APPROVAL_AMOUNTS"),
    approval_hours: read.number("APPROVAL_EXPIRY_HOURS", 72, { min: 1, max: 720 }),
    buyer_action_seconds: read.number("BUYER_ACTION_SECONDS", 3_600, { min: 1, max: 86_400 }),
    authorization_seconds: read.number("AUTHORIZATION_SECONDS", 604_800, { min: 1, max: 2_592_000 }),
  };
}

const timeoutBounds = { min: 0.05, max: 120, is_integer: false };
const adyenFields = [
  "merchant_account",
  "return_url",
  "live_endpoint_prefix",
  "has_multiple_partial_captures",
];
const accountFields = [
  "name",
  "kind",
  "secret_key_env",
  "webhook_secrets_env",
  "api_base",
  "timeout_seconds",
  "calls_at_once_max",
  "overdue_seconds",
  ...adyenFields,
];

/** The accounts of PSP_ACCOUNTS. If none of them takes cards, the account of PSP_STRIPE_… is added. */
function pspAccounts(
  read: SettingsReader,
  psp_concurrency: number,
): Pick<Config["psp"], "accounts" | "external_accounts"> {
  const timeout_seconds = read.number("PSP_TIMEOUT_SECONDS", 10, timeoutBounds);
  // Room for the worker's calls and for the pages that requests register beside them.
  const calls_at_once_max = Math.ceil(psp_concurrency * 1.25);
  const objects = read.objects("PSP_ACCOUNTS", accountFields);
  const stripe = {
    name: "stripe",
    kind: "stripe",
    secret_key: read.text("PSP_STRIPE_SECRET_KEY", key_not_configured),
    webhook_secrets: read.list("PSP_STRIPE_WEBHOOK_SECRET"),
    api_base: read.url("PSP_STRIPE_API_BASE"),
    timeout_seconds,
    calls_at_once_max,
  } as const;
  const all = (objects ?? []).map((fields) => accountOf(fields, { timeout_seconds, calls_at_once_max }));
  const [first = stripe, ...others] = all.flatMap((account) =>
    account.kind === "external" ? [] : [account],
  );
  for (const [index, { name }] of all.entries()) {
    const isTaken =
      all.findIndex((other) => other.name === name) < index || (first === stripe && name === stripe.name);
    if (isTaken) objects?.[index]?.fault("name", "is another account's too");
  }
  const external_accounts = all.flatMap((account) => (account.kind === "external" ? [account] : []));
  for (const [index, account] of all.entries()) {
    const isShared =
      account.kind === "external" &&
      external_accounts.some((other) => other !== account && shareSecret(account, other));
    if (isShared) objects?.[index]?.fault("webhook_secrets_env", "has a secret of another account");
  }
  return { accounts: [first, ...others], external_accounts };
}

/** Names that stand in ledger account codes and URLs; the other route of webhooks is not theirs. */
const isAccountName = (text: string): boolean =>
  /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(text) && text.length <= 32 && text !== "payment-status";

function accountOf(
  fields: Fields,
  defaults: Pick<PspAccount, "timeout_seconds" | "calls_at_once_max">,
): PspAccount | ExternalAccount {
  const name = fields.text(
    "name",
    isAccountName,
    "of lower-case letters, digits and single dashes, at most 32, and not payment-status",
  );
  const kind = fields.text(
    "kind",
    (text) => ["stripe", "adyen", "external"].includes(text),
    "stripe, adyen or external",
  );
  if (kind === "external") return externalAccountOf(fields, name, adyenFields);
  if (fields.has("overdue_seconds")) fields.fault("overdue_seconds", "is for external accounts only");
  const account = {
    name,
    secret_key: fields.secret("secret_key_env"),
    webhook_secrets: fields.has("webhook_secrets_env") ? textsOf(fields.secret("webhook_secrets_env")) : [],
    api_base: fields.url("api_base"),
    timeout_seconds: fields.number("timeout_seconds", defaults.timeout_seconds, timeoutBounds),
    calls_at_once_max: fields.number("calls_at_once_max", defaults.calls_at_once_max, { min: 1, max: 1_000 }),
  };
  if (kind === "adyen") {
    // Adyen's library takes a key that is not hexadecimal for an empty one, with which anybody can sign.
    if (!account.webhook_secrets.every((key) => /^([0-9a-f]{2}){16,}$/i.test(key)))
      fields.fault("webhook_secrets_env", "are not Adyen's hexadecimal HMAC keys");
    return { ...account, ...adyenSettings(fields) };
  }
  for (const field of adyenFields)
    if (kind === "stripe" && fields.has(field)) fields.fault(field, "is for Adyen only");
  return { ...account, kind: "stripe" };
}

function adyenSettings(fields: Fields): AdyenSettings {
  const isName = (text: string): boolean => /^[\w-]+$/.test(text);
  return {
    kind: "adyen",
    merchant_account: fields.text("merchant_account", isName, "the name of your merchant account"),
    return_url: fields.text("return_url", isWebUrl, "a URL with http or https"),
    has_multiple_partial_captures: fields.flag("has_multiple_partial_captures"),
    live_endpoint_prefix: fields.has("live_endpoint_prefix")
      ? fields.text("live_endpoint_prefix", isName, "the prefix of your live endpoints")
      : undefined,
  };
}

function routingRules(read: SettingsReader, psps: ReadonlySet<string>): readonly RoutingRule[] {
  return (read.objects("PSP_ROUTING", ["when", "to"]) ?? []).map((fields): RoutingRule => {
    const conditions = fields.object("when", [
      "currencies",
      "amount_minor_min",
      "amount_minor_max",
      "card_countries",
    ]);
    const when = {
      currencies: conditions.texts("currencies", isCurrencyCode, "currencies, like EUR"),
      amount_minor_min: conditions.amount("amount_minor_min"),
      amount_minor_max: conditions.amount("amount_minor_max"),
      card_countries: conditions.texts(
        "card_countries",
        (text) => /^[A-Z]{2}$/.test(text),
        "countries of two capital letters, like DE",
      ),
    };
    const { amount_minor_min = 0n, amount_minor_max = amount_minor_min } = when;
    if (amount_minor_min > amount_minor_max)
      conditions.fault("amount_minor_max", "is below amount_minor_min");
    const to = fields
      .objects("to", ["psp", "weight"])
      .map((target) => ({
        psp: target.text("psp", (text) => psps.has(text), "the name of an account that takes cards"),
        weight: target.number("weight", 1, { min: 0, max: 10_000 }),
      }));
    if (to.length > 0 && to.every(({ weight }) => weight === 0)) fields.fault("to", "has no weight above 0");
    if (new Set(to.map(({ psp }) => psp)).size < to.length) fields.fault("to", "names an account twice");
    return { when, to };
  });
}

const logLevels = ["fatal", "error", "warn", "info", "debug", "trace", "silent"];

function check(read: SettingsReader, config: Config): void {
  if (!logLevels.includes(config.log_level))
    read.faults.push(`LOG_LEVEL: "${config.log_level}" is not one of ${logLevels.join(", ")}`);
  checkSafety(read, config);
  for (const { name, timeout_seconds } of config.psp.accounts) {
    // An attempt may be held for half a lease before its turn, which may be an inquiry and then a charge.
    const { lease_seconds } = config.payments;
    if (lease_seconds / 2 + 2 * timeout_seconds < lease_seconds) continue;
    read.faults.push(
      `JOB_LEASE_SECONDS: must be longer than ${4 * timeout_seconds} s, four times PSP_TIMEOUT_SECONDS or the ` +
        `timeout_seconds of ${name}, or a call under way is taken for dead`,
    );
  }
}

/**
 * For tests: `CRASH_POINT=after_psp_call:3` kills the process there, FREEZE_POINT stops it. Refused in
 * production.
 */
function armFromEnvironment(read: SettingsReader, mode: Mode): void {
  arm(read, mode, { setting: "CRASH_POINT", text: read.text("CRASH_POINT"), signal: "SIGKILL" });
  arm(read, mode, { setting: "FREEZE_POINT", text: read.text("FREEZE_POINT"), signal: "SIGSTOP" });
}

type ArmedPoint = {
  readonly setting: string;
  readonly text: string | undefined;
  readonly signal: "SIGKILL" | "SIGSTOP";
};

function arm(read: SettingsReader, mode: Mode, { setting, text, signal }: ArmedPoint): void {
  if (text === undefined) return;
  const [wanted, passings = "1"] = text.split(":");
  const name = crashPointNames.find((known) => known === wanted);
  if (mode === "production" || name === undefined || !/^\d+$/.test(passings)) {
    read.faults.push(`${setting}: "${text}" is not a crash point, or this is production`);
    return;
  }
  armCrashPoint(name, Number(passings), signal);
}

/** What a child process of ours gets of our environment. */
export function inheritedEnvironment(): Record<string, string | undefined> {
  return { ...process.env };
}
