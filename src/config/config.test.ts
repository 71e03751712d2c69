import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { faultsOf, production } from "../../test/support/settings.ts";
import { loadConfig } from "./config.ts";

test("an empty environment is enough in development", () => {
  const config = loadConfig("development", {});
  expect(config).toMatchObject({
    port: 8_000,
    host: "127.0.0.1",
    api_key: "sk_dev",
    database_url: undefined,
  });
  expect(config.payments).toMatchObject({
    idempotency_hours: 24,
    retry_attempts_max: 5,
    retry_backoff_base: 2,
    commission_basis_points: 0n,
    lease_seconds: 60,
    unknown_quiet_seconds: 90_000,
  });
  expect(config.psp).toMatchObject({ breaker_failures: 5, breaker_open_seconds: 60 });
});

test("each start in development signs with another secret", () => {
  const secrets = [loadConfig("development", {}).secret_key, loadConfig("development", {}).secret_key];
  expect(secrets[0]).toHaveLength(64);
  expect(secrets[0]).not.toBe(secrets[1]);
});

test("every fault is told in one message, each with the name of its setting", () => {
  const faults = faultsOf("development", {
    PORT: "http",
    MAX_RETRY_ATTEMPTS: "-1",
    RETRY_BACKOFF_BASE: "1e3",
    COMMISSION_BASIS_POINTS: "10001",
    IDEMPOTENCY_KEY_EXPIRY_HOURS: "1.5",
    PSP_STRIPE_API_BASE: "not a url",
    RISK_ORDER_MAX: "USD:10.001",
    JOB_LEASE_SECONDS: "5",
    CRASH_POINT: "nowhere",
  });
  const names = faults.map((fault) => fault.split(":")[0]);
  expect(names.toSorted()).toEqual([
    "COMMISSION_BASIS_POINTS",
    "CRASH_POINT",
    "IDEMPOTENCY_KEY_EXPIRY_HOURS",
    "JOB_LEASE_SECONDS",
    "MAX_RETRY_ATTEMPTS",
    "PORT",
    "PSP_STRIPE_API_BASE",
    "RETRY_BACKOFF_BASE",
    "RISK_ORDER_MAX",
  ]);
});

test("a LOG_LEVEL that is none is a fault like any other", () => {
  expect(faultsOf("development", { LOG_LEVEL: "shout" })).toEqual([expect.stringContaining("LOG_LEVEL:")]);
});

test.each([
  ["TRUST_PROXY", "true"],
  ["TRUST_PROXY", "1"],
  ["TRUST_PROXY", "10.0.0.0/33"],
  ["TRUST_PROXY", "proxy.internal"],
  ["RETURN_URL_ORIGINS", "shop.example"],
  ["RETURN_URL_ORIGINS", "https://shop.example/thanks"],
  ["RETURN_URL_ORIGINS", "*,https://shop.example"],
  ["STATUS_LINK_SECONDS", "59"],
])("a %s of %s is a fault", (name, value) => {
  for (const mode of ["development", "production"] as const) {
    expect(faultsOf(mode, { ...production, [name]: value })).toEqual([expect.stringContaining(`${name}:`)]);
  }
});

test("no proxy is trusted unless it is named", () => {
  expect(loadConfig("production", production).trusted_proxies).toEqual([]);
  expect(
    loadConfig("production", { ...production, TRUST_PROXY: "127.0.0.1, 10.0.0.0/8,::1,fd00::/8,loopback" })
      .trusted_proxies,
  ).toEqual(["127.0.0.1", "10.0.0.0/8", "::1", "fd00::/8", "loopback"]);
});

test("hosted pages may send buyers anywhere in development, and in production only where it is said", () => {
  expect(loadConfig("development", {}).return_url_origins).toBe("any");
  expect(loadConfig("production", production).return_url_origins).toEqual([]);
  expect(loadConfig("production", { ...production, RETURN_URL_ORIGINS: "*" }).return_url_origins).toBe("any");
  expect(
    loadConfig("production", {
      ...production,
      RETURN_URL_ORIGINS: "https://a.example,https://b.example:8443",
    }).return_url_origins,
  ).toEqual(["https://a.example", "https://b.example:8443"]);
});

test("a value of nothing counts as not set", () => {
  expect(loadConfig("development", { PORT: "", PACIOLI_API_KEY: "" })).toMatchObject({
    port: 8_000,
    api_key: "sk_dev",
  });
});

test("a setting with _FILE is read from that file, and a file that is not there is a fault", () => {
  const folder = mkdtempSync(join(tmpdir(), "pacioli-config-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "key");
  writeFileSync(file, "sk_live_from_file\n");
  expect(loadConfig("development", { PSP_STRIPE_SECRET_KEY_FILE: file }).psp.accounts[0].secret_key).toBe(
    "sk_live_from_file",
  );
  expect(faultsOf("development", { SECRET_KEY_FILE: join(folder, "none") })).toEqual([
    expect.stringMatching(/^SECRET_KEY_FILE: ENOENT/),
  ]);
});

test("an empty file counts as not set: what it would sign with, everybody has", () => {
  const folder = mkdtempSync(join(tmpdir(), "pacioli-config-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "empty");
  writeFileSync(file, "\n");
  const { secret_key, api_key, database_url } = loadConfig("development", {
    SECRET_KEY_FILE: file,
    PACIOLI_API_KEY_FILE: file,
    DATABASE_URL_FILE: file,
  });
  expect({ secret_key, api_key, database_url }).toEqual({
    secret_key: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
    api_key: "sk_dev",
    database_url: undefined,
  });
});

test("a key in the place of the PSP's address is not repeated", () => {
  const key = "sk_live_q7Zt0cVb3NfYw8RkXe5LmA2s";
  expect(faultsOf("development", { PSP_STRIPE_API_BASE: key })).toEqual([
    "PSP_STRIPE_API_BASE: is not a URL, like https://psp.example",
  ]);
});

test("risk limits are read in the currency's own precision", () => {
  const { limits } = loadConfig("development", {
    RISK_ORDER_MAX: "USD:10000.00, JPY:900000,BHD:1.234",
  }).payments;
  expect([...limits.order_max]).toEqual([
    ["USD", 1_000_000n],
    ["JPY", 900_000n],
    ["BHD", 1_234n],
  ]);
});

test("a lease that could end during a PSP call is refused", () => {
  // Held for half the lease, then an inquiry and a charge: 20 + 2 × 10 is not less than 40.
  const faults = faultsOf("development", { JOB_LEASE_SECONDS: "40", PSP_TIMEOUT_SECONDS: "10" });
  expect(faults).toEqual([expect.stringMatching(/^JOB_LEASE_SECONDS: .*PSP_TIMEOUT_SECONDS/)]);
  expect(faultsOf("development", { JOB_LEASE_SECONDS: "41", PSP_TIMEOUT_SECONDS: "10" })).toEqual([]);
});

test("a crash point is a value of the settings; beside it a point to freeze at counts", () => {
  expect(loadConfig("development", {}).crash_point).toBeUndefined();
  const crash = { CRASH_POINT: "after_psp_call:3" };
  expect(loadConfig("development", crash).crash_point).toEqual({
    name: "after_psp_call",
    passings: 3,
    signal: "SIGKILL",
  });
  expect(loadConfig("development", { ...crash, FREEZE_POINT: "in_outcome_commit" }).crash_point).toEqual({
    name: "in_outcome_commit",
    passings: 1,
    signal: "SIGSTOP",
  });
});
