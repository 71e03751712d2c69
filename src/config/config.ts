/** The only place that reads the environment. */
import { randomBytes } from "node:crypto";
import { resolve } from "node:path";
import { crashPointOf } from "./crash-point-settings.ts";
import { readDatabaseAddresses } from "./database-address.ts";
import { paymentSettings } from "./payment-settings.ts";
import type { ArmedCrashPoint, PaymentSettings } from "../payments/payments.ts";
import { pspAccounts, type PspAccounts } from "./psp-accounts.ts";
import { routingRules, type RoutingRule } from "./routing-settings.ts";
import { built_in_api_key, checkSafety } from "./safety-rules.ts";
import { SettingsReader, type Environment, type Mode } from "./settings-reader.ts";

export { assertBuiltInKeyStaysLocal } from "./safety-rules.ts";

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
  /** How far business time is ahead of real time; in development only. */
  readonly clock_offset_seconds: number;
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
  /** For how long events can be read. */
  readonly events_retention_days: number;
  readonly payments: PaymentSettings;
  readonly psp: PspAccounts & {
    /** Whether production takes keys with which test cards pay. */
    readonly are_test_keys_allowed: boolean;
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
  /** Where a test kills or stops the service that is started with these settings. */
  readonly crash_point: ArmedCrashPoint | undefined;
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
    clock_offset_seconds: read.number("CLOCK_OFFSET_SECONDS", 0, { min: 0, max: 3_153_600_000 }),
    log_level: read.text("LOG_LEVEL", defaultLogLevel(read, mode)),
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
    events_retention_days: read.number("EVENTS_RETENTION_DAYS", 90, { min: 7, max: 3_650 }),
    payments,
    psp: {
      accounts,
      external_accounts,
      are_test_keys_allowed: read.flag("ALLOW_TEST_KEYS"),
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
    crash_point: crashPointOf(read, mode),
  };
  check(read, config);
  if (read.faults.length > 0) throw new Error(`The settings are not right:\n  ${read.faults.join("\n  ")}`);
  return config;
}

function defaultLogLevel(read: SettingsReader, mode: Mode): string {
  if (read.text("DEBUG") === "true") return "debug";
  return mode === "development" ? "warn" : "info";
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
      `JOB_LEASE_SECONDS: must be longer than ${4 * timeout_seconds} s, four times PSP_TIMEOUT_SECONDS ` +
        `or the timeout_seconds of ${name}, or a call in flight is treated as dead`,
    );
  }
}

/** What a child process of ours gets of our environment. */
export function inheritedEnvironment(): Record<string, string | undefined> {
  return { ...process.env };
}
