/** The only place that reads the environment. */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { messageOf } from "./errors.ts";
import { isCurrencyCode, parseAmount } from "./money/money.ts";
import { armCrashPoint, crashPointNames, type PaymentSettings } from "./payments/payments.ts";

/** In development everything has a default; in production secrets have none. */
export type Mode = "development" | "production";

export type Config = {
  readonly mode: Mode;
  readonly host: string;
  readonly port: number;
  readonly allowed_hosts: readonly string[];
  readonly log_level: string;
  /** Signs list cursors. */
  readonly secret_key: string;
  /** Undefined: start the embedded PostgreSQL under `data_dir`. */
  readonly database_url: string | undefined;
  /** The owner's login, for migrations; the service's own where none is given. */
  readonly migration_database_url: string | undefined;
  readonly data_dir: string;
  readonly database_connections_max: number;
  /** A key that is let in from the start; in production keys are made with `pacioli keys create`. */
  readonly api_key: string | undefined;
  readonly rate_limit_per_second: number;
  readonly payments: PaymentSettings;
  readonly psp: {
    readonly stripe_secret_key: string | undefined;
    readonly stripe_webhook_secrets: readonly string[];
    readonly stripe_api_base: URL | undefined;
    readonly timeout_seconds: number;
    readonly breaker_failures: number;
    readonly breaker_open_seconds: number;
    readonly status_webhook_secrets: readonly string[];
  };
  readonly simulator: { readonly port: number; readonly success_rate: string; readonly webhook_url: string | undefined };
};

type Environment = Readonly<Record<string, string | undefined>>;

/** Collects what is wrong with the environment, so that all faults are told at once. */
class Reader {
  readonly faults: string[] = [];
  readonly #environment: Environment;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  text(name: string): string | undefined;
  text(name: string, fallback: string): string;
  text(name: string, fallback?: string): string | undefined {
    const file = this.#environment[`${name}_FILE`];
    if (file !== undefined && file !== "") {
      try {
        return readFileSync(file, "utf8").trim();
      } catch (error) {
        this.faults.push(`${name}_FILE: ${messageOf(error)}`);
        return fallback;
      }
    }
    const value = this.#environment[name];
    return value === undefined || value === "" ? fallback : value;
  }

  list(name: string): string[] {
    return (this.text(name) ?? "").split(",").map((part) => part.trim()).filter((part) => part !== "");
  }

  number(name: string, fallback: number, bounds: { min: number; max: number; is_integer?: boolean }): number {
    const text = this.text(name);
    if (text === undefined) return fallback;
    const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
    const isRight = value >= bounds.min && value <= bounds.max && (bounds.is_integer === false || Number.isInteger(value));
    if (!isRight) this.faults.push(`${name}: "${text}" is not a number from ${bounds.min} to ${bounds.max}`);
    return isRight ? value : fallback;
  }

  url(name: string): URL | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    if (!URL.canParse(text)) this.faults.push(`${name}: "${text}" is not a URL`);
    return URL.canParse(text) ? new URL(text) : undefined;
  }

  /** `USD:10000.00,JPY:900000` as minor units by currency. */
  amounts(name: string): ReadonlyMap<string, bigint> {
    return new Map(this.list(name).flatMap((part): [string, bigint][] => {
      const [currency = "", amount = ""] = part.split(":");
      const parsed = isCurrencyCode(currency) ? parseAmount(amount, currency) : undefined;
      if (parsed?.ok === true) return [[currency, parsed.money.amount_minor]];
      this.faults.push(`${name}: "${part}" is not like USD:10000.00`);
      return [];
    }));
  }
}

/** The settings from the environment. Errors with every fault in one message. */
export function loadConfig(mode: Mode, environment: Environment = process.env): Config {
  const read = new Reader(environment);
  const isDevelopment = mode === "development";
  const config: Config = {
    mode,
    host: read.text("HOST", "127.0.0.1"),
    port: read.number("PORT", 8_000, { min: 0, max: 65_535 }),
    allowed_hosts: read.list("ALLOWED_HOSTS"),
    log_level: read.text("LOG_LEVEL", read.text("DEBUG") === "true" ? "debug" : isDevelopment ? "warn" : "info"),
    secret_key: read.text("SECRET_KEY") ?? (isDevelopment ? randomBytes(32).toString("hex") : ""),
    database_url: read.text("DATABASE_URL") ?? databaseUrlOfParts(read),
    migration_database_url: read.text("MIGRATION_DATABASE_URL"),
    data_dir: resolve(read.text("PACIOLI_DATA_DIR", ".pacioli")),
    database_connections_max: read.number("DATABASE_CONNECTIONS_MAX", 12, { min: 4, max: 500 }),
    api_key: read.text("PACIOLI_API_KEY") ?? (isDevelopment ? "sk_dev" : undefined),
    rate_limit_per_second: read.number("RATE_LIMIT_PER_SECOND", 2_000, { min: 1, max: 1_000_000 }),
    payments: paymentSettings(read),
    psp: {
      stripe_secret_key: read.text("PSP_STRIPE_SECRET_KEY"),
      stripe_webhook_secrets: read.list("PSP_STRIPE_WEBHOOK_SECRET"),
      stripe_api_base: read.url("PSP_STRIPE_API_BASE"),
      timeout_seconds: read.number("PSP_TIMEOUT_SECONDS", 10, { min: 0.05, max: 120, is_integer: false }),
      breaker_failures: read.number("PSP_BREAKER_FAILURES", 5, { min: 1, max: 1_000 }),
      breaker_open_seconds: read.number("PSP_BREAKER_OPEN_SECONDS", 60, { min: 0.1, max: 3_600, is_integer: false }),
      status_webhook_secrets: read.list("PSP_WEBHOOK_SECRET"),
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

function paymentSettings(read: Reader): PaymentSettings {
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
    lease_seconds: read.number("JOB_LEASE_SECONDS", 30, { min: 2, max: 3_600 }),
  };
}

/** The first version's five database settings, where no DATABASE_URL is given. */
function databaseUrlOfParts(read: Reader): string | undefined {
  const host = read.text("DB_HOST");
  if (host === undefined) return undefined;
  const user = encodeURIComponent(read.text("DB_USER", "pacioli"));
  const password = encodeURIComponent(read.text("DB_PASSWORD", ""));
  return `postgres://${user}:${password}@${host}:${read.number("DB_PORT", 5_432, { min: 1, max: 65_535 })}/${read.text("DB_NAME", "pacioli")}`;
}

const logLevels = ["fatal", "error", "warn", "info", "debug", "trace", "silent"];

function check(read: Reader, config: Config): void {
  if (!logLevels.includes(config.log_level)) read.faults.push(`LOG_LEVEL: "${config.log_level}" is not one of ${logLevels.join(", ")}`);
  for (const secret of config.psp.status_webhook_secrets) {
    // What Standard Webhooks prescribes: base64 after an optional whsec_.
    if (!/^(whsec_)?[A-Za-z0-9+/]{8,}={0,2}$/.test(secret) || secret.replace(/^whsec_/, "").length % 4 !== 0) {
      read.faults.push("PSP_WEBHOOK_SECRET: give base64, best after whsec_");
    }
  }
  const isProduction = config.mode === "production";
  if (isProduction && config.secret_key.length < 32) read.faults.push("SECRET_KEY: set at least 32 random characters");
  if (isProduction && config.database_url === undefined) read.faults.push("DATABASE_URL: set the service's login, or use `pacioli dev` for the embedded PostgreSQL");
  if (isProduction && config.api_key === "sk_dev") read.faults.push("PACIOLI_API_KEY: sk_dev is for development only");
  if (isProduction && config.psp.stripe_secret_key === undefined) read.faults.push("PSP_STRIPE_SECRET_KEY: set your Stripe secret key");
  if (config.payments.lease_seconds <= config.psp.timeout_seconds) {
    read.faults.push(`JOB_LEASE_SECONDS: must be longer than PSP_TIMEOUT_SECONDS (${config.psp.timeout_seconds}), or a call under way is taken for dead`);
  }
}

/** `CRASH_POINT=after_psp_call:3` kills the process there, for tests; refused in production. */
function armFromEnvironment(read: Reader, mode: Mode): void {
  const text = read.text("CRASH_POINT");
  if (text === undefined) return;
  const [wanted, passings = "1"] = text.split(":");
  const name = crashPointNames.find((known) => known === wanted);
  if (mode === "production" || name === undefined || !/^\d+$/.test(passings)) {
    read.faults.push(`CRASH_POINT: "${text}" is not a crash point, or this is production`);
    return;
  }
  armCrashPoint(name, Number(passings));
}

/** What a child process of ours gets of our environment. */
export function inheritedEnvironment(): Record<string, string | undefined> {
  return { ...process.env };
}
