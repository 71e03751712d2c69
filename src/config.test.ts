import { hash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { describe, expect, onTestFinished, test } from "vitest";
import { loadConfig } from "./config.ts";
import { messageOf } from "./errors.ts";

const production = {
  SECRET_KEY: "9f2c81d07b3e64a5f80d1c27b6e3945a",
  DATABASE_URL: "postgres://pacioli@db/pacioli",
  PSP_STRIPE_SECRET_KEY: "sk_live_q7Zt0cVb3NfYw8RkXe5LmA2s",
};

/** The faults that loading names, one per line; none: it loaded. */
function faultsOf(mode: "development" | "production", environment: Record<string, string>): string[] {
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

test("production has no default for a secret and no development key, and names all that is missing at once", () => {
  const faults = faultsOf("production", { PACIOLI_API_KEY: "sk_dev" });
  expect(faults.map((fault) => fault.split(":")[0])).toEqual([
    "SECRET_KEY",
    "DATABASE_URL",
    "PACIOLI_API_KEY",
    "PSP_STRIPE_SECRET_KEY",
  ]);
});

test("production starts with its secrets set, and lets no key in by itself", () => {
  expect(loadConfig("production", production)).toMatchObject({
    mode: "production",
    api_key: undefined,
    secret_key: production.SECRET_KEY,
  });
});

test.each([
  "hunter2",
  "0123456789abcdef0123456789abcdef",
  "a".repeat(64),
  "please-change-me-please-change-me-2026",
])("a SECRET_KEY that can be guessed is refused in production, and not repeated: %s", (secret) => {
  const faults = faultsOf("production", { ...production, SECRET_KEY: secret });
  expect(faults).toEqual([expect.stringMatching(/^SECRET_KEY: .*openssl rand/)]);
  expect(faults.join()).not.toContain(secret);
});

test.each(["sk_dev", "x", "sk_9f2c81d07b3e64a5f80d1c27b6e3945a1b2c3d4e"])(
  "no PACIOLI_API_KEY starts in production, however good it is: %s",
  (key) => {
    expect(faultsOf("production", { ...production, PACIOLI_API_KEY: key })).toEqual([
      expect.stringMatching(/^PACIOLI_API_KEY: .*keys create/),
    ]);
  },
);

test("the keys of the simulator and of an unset Stripe do not start in production", () => {
  expect(faultsOf("production", { ...production, PSP_STRIPE_SECRET_KEY: "sk_test_simulator" })).toEqual([
    expect.stringMatching(/^PSP_STRIPE_SECRET_KEY: /),
  ]);
});

test("a secret of an external account that can be guessed is refused in production", () => {
  const good = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
  const accounts = {
    PSP_ACCOUNTS: '[{"name":"cash","kind":"external","webhook_secrets_env":"CASH_SECRETS"}]',
  };
  const weak = `whsec_${Buffer.alloc(24, 7).toString("base64")}`;
  expect(faultsOf("production", { ...production, ...accounts, CASH_SECRETS: `${good},${weak}` })).toEqual([
    expect.stringMatching(/^PSP_ACCOUNTS: a webhook secret of cash /),
  ]);
  expect(faultsOf("production", { ...production, ...accounts, CASH_SECRETS: good })).toEqual([]);
});

describe("addresses of PSPs", () => {
  const adyen = {
    name: "adyen-1",
    kind: "adyen",
    secret_key_env: "ADYEN_KEY",
    merchant_account: "Shop_DE",
    return_url: "https://shop.example/back",
  };
  const withBase = (api_base: string): Record<string, string> => ({
    ADYEN_KEY: "AQEqhmfxKo7NbR3dJ9wPzX5cT0vL8sMy",
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

describe("the way to the database", () => {
  const urlOf = (environment: Record<string, string>): string | undefined =>
    loadConfig("development", environment).database_url;

  test.each([
    "postgres://u:p@127.0.0.1:5432/pacioli",
    "postgres://u:p@localhost/pacioli",
    "postgres://u:p@[::1]:5432/pacioli",
    "postgres://127.9.9.9/x?sslmode=disable",
    "postgres:///pacioli?host=/var/run/postgresql",
    "postgres://u@/pacioli?host=/var/run/postgresql",
    "postgres://u@%2Fvar%2Frun%2Fpostgresql/pacioli",
    "socket:/var/run?db=x",
  ])("is left as it is on this machine: %s", (url) => {
    expect(urlOf({ DATABASE_URL: url })).toBe(url);
  });

  test.each([
    "",
    "?sslmode=require",
    "?sslmode=verify-ca",
    "?sslmode=verify-full",
    "?uselibpqcompat=true&sslmode=require",
  ])("is encrypted and the server verified through a network: %s", (query) => {
    const base = "postgres://pacioli_app:p%40ss%2Fw%3Ard@db.example:5432/pacioli";
    for (const url of [
      urlOf({ DATABASE_URL: base + query }),
      loadConfig("production", { ...production, DATABASE_URL: base + query }).database_url,
    ]) {
      expect(url).toBe(`${base}?sslmode=verify-full`);
      expect(new pg.Client({ connectionString: url })).toMatchObject({
        user: "pacioli_app",
        host: "db.example",
        password: "p@ss/w:rd",
        ssl: {},
      });
    }
  });

  test.each([
    "?sslmode=disable",
    "?sslmode=prefer",
    "?sslmode=allow",
    "?sslmode=no-verify",
    "?ssl=0",
    "?ssl=true",
    "?sslmode=",
  ])("is refused through a network when the URL leaves it open: %s", (query) => {
    const url = `postgres://u:hunter2@db.example/pacioli${query}`;
    for (const name of ["DATABASE_URL", "MIGRATION_DATABASE_URL"]) {
      const faults = faultsOf("development", { [name]: url });
      expect(faults).toEqual([
        expect.stringMatching(new RegExp(`^${name}: .*db\\.example.*verify-full.*DATABASE_TLS=off`)),
      ]);
      expect(faults.join()).not.toContain("hunter2");
    }
  });

  test.each([
    "postgres://u@db.example/x?host=127.0.0.1",
    "postgres://u@127.0.0.1.evil.example/x",
    "postgres://u@localhost.example/x",
    "postgres://u@127.0.0.1/x?host=db.example",
  ])("is judged by the host that the driver connects to: %s", (url) => {
    const { host } = new pg.Client({ connectionString: url });
    expect(urlOf({ DATABASE_URL: url })?.includes("sslmode=verify-full")).toBe(host !== "127.0.0.1");
  });

  test("is left open by name only: DATABASE_TLS=off", () => {
    const url = "postgres://u:p@db.example/pacioli";
    expect(urlOf({ DATABASE_URL: url, DATABASE_TLS: "off" })).toBe(url);
    expect(urlOf({ DATABASE_URL: url, DATABASE_TLS: "verify" })).toBe(`${url}?sslmode=verify-full`);
    for (const value of ["false", "no", "OFF", "disable"])
      expect(faultsOf("development", { DATABASE_TLS: value })).toEqual([
        expect.stringMatching(/^DATABASE_TLS: /),
      ]);
  });

  test("holds for the owner's login too, and for the settings in parts", () => {
    const config = loadConfig("development", {
      DB_HOST: "db.example",
      MIGRATION_DATABASE_URL: "postgres://owner@db.example/pacioli",
    });
    expect(config.database_url).toBe(
      "postgres://pacioli:@db.example:5432/pacioli?sslmode=verify-full".replace(":@", "@"),
    );
    expect(config.migration_database_url).toBe("postgres://owner@db.example/pacioli?sslmode=verify-full");
  });
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

test("the five database settings make a URL, with what needs it escaped; DATABASE_URL wins", () => {
  const parts = {
    DB_HOST: "db",
    DB_PORT: "5433",
    DB_NAME: "books",
    DB_USER: "pa@cioli",
    DB_PASSWORD: "p/w:d",
  };
  expect(loadConfig("development", parts).database_url).toBe(
    "postgres://pa%40cioli:p%2Fw%3Ad@db:5433/books?sslmode=verify-full",
  );
  expect(loadConfig("development", { ...parts, DATABASE_URL: "postgres://localhost/db" }).database_url).toBe(
    "postgres://localhost/db",
  );
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

test("in production no quiet time is so short that a charge that the PSP carries out late is made twice", () => {
  const quiet = (seconds: string): Record<string, string> => ({
    ...production,
    PSP_UNKNOWN_QUIET_SECONDS: seconds,
  });
  expect(faultsOf("production", quiet("86399"))).toEqual([
    expect.stringMatching(/^PSP_UNKNOWN_QUIET_SECONDS: .*86400/),
  ]);
  expect(faultsOf("production", quiet("86400"))).toEqual([]);
  expect(faultsOf("development", { PSP_UNKNOWN_QUIET_SECONDS: "1" })).toEqual([]);
});

test("a process can be told to freeze at a point in development only", () => {
  expect(faultsOf("production", { ...production, FREEZE_POINT: "after_claim:1" })).toEqual([
    expect.stringMatching(/^FREEZE_POINT: /),
  ]);
  expect(faultsOf("development", { FREEZE_POINT: "nowhere:1" })).toEqual([
    expect.stringMatching(/^FREEZE_POINT: /),
  ]);
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
  const eu = { name: "stripe-eu", kind: "stripe", secret_key_env: "STRIPE_EU_KEY" };
  const adyen = {
    name: "adyen-1",
    kind: "adyen",
    secret_key_env: "ADYEN_KEY",
    merchant_account: "Shop_DE",
    return_url: "https://shop.example/back",
  };
  const secrets = {
    STRIPE_EU_KEY: "sk_live_h4Jd9TzQ1xCv6GwBn0KpYr7U",
    ADYEN_KEY: "AQEqhmfxKo7NbR3dJ9wPzX5cT0vL8sMy",
  };
  const withAccounts = (...accounts: unknown[]): Record<string, string> => ({
    ...secrets,
    PSP_ACCOUNTS: JSON.stringify(accounts),
  });
  const withRules = (...rules: unknown[]): Record<string, string> => ({
    ...withAccounts(eu, adyen),
    PSP_ROUTING: JSON.stringify(rules),
  });

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

  test("rules are read with amounts as exact integers; weight is 1 where none is given", () => {
    const when = {
      currencies: ["EUR", "CHF"],
      amount_minor_min: "9007199254740993",
      amount_minor_max: "9007199254740993",
      card_countries: ["DE"],
    };
    const { routing } = loadConfig(
      "development",
      withRules(
        {
          when,
          to: [
            { psp: "adyen-1", weight: 9 },
            { psp: "stripe-eu", weight: 0 },
          ],
        },
        { to: [{ psp: "stripe-eu" }] },
      ),
    ).psp;
    expect(routing).toEqual([
      {
        when: { ...when, amount_minor_min: 9_007_199_254_740_993n, amount_minor_max: 9_007_199_254_740_993n },
        to: [
          { psp: "adyen-1", weight: 9 },
          { psp: "stripe-eu", weight: 0 },
        ],
      },
      { when: {}, to: [{ psp: "stripe-eu", weight: 1 }] },
    ]);
  });

  const to = [{ psp: "stripe-eu", weight: 1 }];
  test.each<[string, unknown]>([
    [".to", {}],
    [".to", { to: [] }],
    [".to", { to: "stripe-eu" }],
    [".to[0].psp", { to: [{ psp: "paypal", weight: 1 }] }],
    [".to[0]", { to: ["stripe-eu"] }],
    [".to[0].weight", { to: [{ psp: "stripe-eu", weight: -1 }] }],
    [".to[0].weight", { to: [{ psp: "stripe-eu", weight: 0.5 }] }],
    [".to", { to: [{ psp: "stripe-eu", weight: 0 }] }],
    [".to", { to: [...to, ...to] }],
    [".to[0].share", { to: [{ ...to[0], share: 1 }] }],
    [".when.currencies", { when: { currencies: ["EUR", "XYZ"] }, to }],
    [".when.currencies", { when: { currencies: [] }, to }],
    [".when.currencies", { when: { currencies: "EUR" }, to }],
    [".when.card_countries", { when: { card_countries: ["de"] }, to }],
    [".when.card_countries", { when: { card_countries: ["DE", 7] }, to }],
    [".when.amount_minor_min", { when: { amount_minor_min: 100 }, to }],
    [".when.amount_minor_max", { when: { amount_minor_max: "1.00" }, to }],
    [".when.amount_minor_max", { when: { amount_minor_min: "5", amount_minor_max: "4" }, to }],
    [".when.currency", { when: { currency: "EUR" }, to }],
    [".when", { when: [], to }],
  ])("a rule that is wrong at %s stops the start: %j", (path, rule) => {
    const faults = faultsOf("development", withRules({ to }, rule));
    expect(faults[0]).toContain(`PSP_ROUTING[1]${path}: `);
    expect(faults.every((fault) => fault.startsWith("PSP_ROUTING[1]"))).toBe(true);
  });

  test("rules know the one account of the settings of Stripe by its name", () => {
    expect(faultsOf("development", { PSP_ROUTING: '[{"to": [{"psp": "stripe"}]}]' })).toEqual([]);
    expect(faultsOf("development", { PSP_ROUTING: '[{"to": [{"psp": "stripe-eu"}]}]' })).toEqual([
      expect.stringMatching(/^PSP_ROUTING\[0\]\.to\[0\]\.psp: /),
    ]);
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

test("a crash point is refused in production", () => {
  expect(faultsOf("production", { ...production, CRASH_POINT: "after_claim" })).toEqual([
    expect.stringMatching(/^CRASH_POINT: /),
  ]);
});
