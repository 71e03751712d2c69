import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { loadConfig } from "./config.ts";
import { messageOf } from "./errors.ts";

const production = {
  SECRET_KEY: "0123456789abcdef0123456789abcdef",
  DATABASE_URL: "postgres://pacioli@db/pacioli",
  PSP_STRIPE_SECRET_KEY: "sk_live_1",
};

/** The faults that loading names, one per line; none: it loaded. */
function faultsOf(mode: "development" | "production", environment: Record<string, string>): string[] {
  try {
    loadConfig(mode, environment);
    return [];
  } catch (error) {
    return messageOf(error).split("\n").slice(1).map((line) => line.trim());
  }
}

test("an empty environment is enough in development", () => {
  const config = loadConfig("development", {});
  expect(config).toMatchObject({ port: 8_000, host: "127.0.0.1", api_key: "sk_dev", database_url: undefined });
  expect(config.payments).toMatchObject({
    idempotency_hours: 24, retry_attempts_max: 5, retry_backoff_base: 2, commission_basis_points: 0n, lease_seconds: 30,
  });
  expect(config.psp).toMatchObject({ breaker_failures: 5, breaker_open_seconds: 60 });
});

test("each start in development signs with another secret", () => {
  const secrets = [loadConfig("development", {}).secret_key, loadConfig("development", {}).secret_key];
  expect(secrets[0]).toHaveLength(64);
  expect(secrets[0]).not.toBe(secrets[1]);
});

test("production has no default for a secret and no development key, and names all that is missing at once", () => {
  const faults = faultsOf("production", { PACIOLI_API_KEY: "sk_dev" });
  expect(faults.map((fault) => fault.split(":")[0])).toEqual(["SECRET_KEY", "DATABASE_URL", "PACIOLI_API_KEY", "PSP_STRIPE_SECRET_KEY"]);
});

test("production starts with its secrets set, and lets no key in by itself", () => {
  expect(loadConfig("production", production)).toMatchObject({ mode: "production", api_key: undefined, secret_key: production.SECRET_KEY });
});

test("a short SECRET_KEY is refused in production", () => {
  expect(faultsOf("production", { ...production, SECRET_KEY: "short" })).toEqual([expect.stringMatching(/^SECRET_KEY: /)]);
});

test("every fault is told in one message, each with the name of its setting", () => {
  const faults = faultsOf("development", {
    PORT: "http", MAX_RETRY_ATTEMPTS: "-1", RETRY_BACKOFF_BASE: "1e3", COMMISSION_BASIS_POINTS: "10001", IDEMPOTENCY_KEY_EXPIRY_HOURS: "1.5",
    PSP_STRIPE_API_BASE: "not a url", RISK_ORDER_MAX: "USD:10.001", JOB_LEASE_SECONDS: "5", CRASH_POINT: "nowhere",
  });
  const names = faults.map((fault) => fault.split(":")[0]);
  expect(names.toSorted()).toEqual([
    "COMMISSION_BASIS_POINTS", "CRASH_POINT", "IDEMPOTENCY_KEY_EXPIRY_HOURS", "JOB_LEASE_SECONDS", "MAX_RETRY_ATTEMPTS", "PORT",
    "PSP_STRIPE_API_BASE", "RETRY_BACKOFF_BASE", "RISK_ORDER_MAX",
  ]);
});

test.each([["PSP_WEBHOOK_SECRET", "whsec_not*base64"], ["LOG_LEVEL", "shout"]])("a %s of %s is a fault like any other", (name, value) => {
  expect(faultsOf("development", { [name]: value })).toEqual([expect.stringContaining(`${name}:`)]);
});

test("a value of nothing counts as not set", () => {
  expect(loadConfig("development", { PORT: "", PACIOLI_API_KEY: "" })).toMatchObject({ port: 8_000, api_key: "sk_dev" });
});

test("a setting with _FILE is read from that file, and a file that is not there is a fault", () => {
  const folder = mkdtempSync(join(tmpdir(), "pacioli-config-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "key");
  writeFileSync(file, "sk_live_from_file\n");
  expect(loadConfig("development", { PSP_STRIPE_SECRET_KEY_FILE: file }).psp.stripe_secret_key).toBe("sk_live_from_file");
  expect(faultsOf("development", { SECRET_KEY_FILE: join(folder, "none") })).toEqual([expect.stringMatching(/^SECRET_KEY_FILE: ENOENT/)]);
});

test("the five database settings make a URL, with what needs it escaped; DATABASE_URL wins", () => {
  const parts = { DB_HOST: "db", DB_PORT: "5433", DB_NAME: "books", DB_USER: "pa@cioli", DB_PASSWORD: "p/w:d" };
  expect(loadConfig("development", parts).database_url).toBe("postgres://pa%40cioli:p%2Fw%3Ad@db:5433/books");
  expect(loadConfig("development", { ...parts, DATABASE_URL: "postgres://other/db" }).database_url).toBe("postgres://other/db");
});

test("risk limits are read in the currency's own precision", () => {
  const { limits } = loadConfig("development", { RISK_ORDER_MAX: "USD:10000.00, JPY:900000,BHD:1.234" }).payments;
  expect([...limits.order_max]).toEqual([["USD", 1_000_000n], ["JPY", 900_000n], ["BHD", 1_234n]]);
});

test("a lease that could end during a PSP call is refused", () => {
  const faults = faultsOf("development", { JOB_LEASE_SECONDS: "10", PSP_TIMEOUT_SECONDS: "10" });
  expect(faults).toEqual([expect.stringMatching(/^JOB_LEASE_SECONDS: .*PSP_TIMEOUT_SECONDS/)]);
  expect(faultsOf("development", { JOB_LEASE_SECONDS: "11", PSP_TIMEOUT_SECONDS: "10" })).toEqual([]);
});

test("a crash point is refused in production", () => {
  expect(faultsOf("production", { ...production, CRASH_POINT: "after_claim" })).toEqual([expect.stringMatching(/^CRASH_POINT: /)]);
});
