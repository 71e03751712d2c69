import { randomBytes, randomInt } from "node:crypto";
import pg from "pg";
import { describe, expect, test } from "vitest";
import { loadConfig } from "./config.ts";
import { messageOf } from "../errors.ts";
import { assertBuiltInKeyStaysLocal } from "./safety-rules.ts";

const alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const random = (length: number): string =>
  Array.from({ length }, () => alphanumeric[randomInt(alphanumeric.length)]).join("");

const production = {
  SECRET_KEY: randomBytes(32).toString("hex"),
  DATABASE_URL: "postgres://pacioli@db/pacioli",
  PSP_STRIPE_SECRET_KEY: `sk_live_${random(99)}`,
};
const accounts = JSON.stringify([
  { name: "stripe-eu", kind: "stripe", secret_key_env: "EU_KEY", webhook_secrets_env: "EU_WEBHOOKS" },
  {
    name: "adyen-1",
    kind: "adyen",
    secret_key_env: "ADYEN_KEY",
    webhook_secrets_env: "ADYEN_HMAC",
    merchant_account: "Shop",
    return_url: "https://shop.example/",
    live_endpoint_prefix: "1797a841fbb37ca7-Shop",
  },
]);
const severalPsps = {
  PSP_STRIPE_SECRET_KEY: "",
  PSP_ACCOUNTS: accounts,
  EU_KEY: `rk_live_${random(99)}`,
  EU_WEBHOOKS: `whsec_${random(32)}`,
  ADYEN_KEY: `AQE${randomBytes(90).toString("base64")}-${randomBytes(33).toString("base64")}=-${random(16)}`,
  ADYEN_HMAC: randomBytes(32).toString("hex").toUpperCase(),
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

describe("secrets of PSPs", () => {
  test("as Stripe and Adyen issue them start production", () => {
    for (let round = 0; round < 500; round++) {
      const keys = [
        `sk_live_${random(24)}`,
        `sk_live_51${random(97)}`,
        `rk_live_${random(24)}`,
        `rk_live_51${random(97)}`,
        `sk_org_live_${random(99)}`,
        `sk_org_live_${random(40)}`,
      ];
      for (const key of keys)
        expect(faultsOf("production", { ...production, PSP_STRIPE_SECRET_KEY: key }), key).toEqual([]);
      const webhook_secrets = [
        `whsec_${random(32)}`,
        `whsec_${randomBytes(32).toString("hex")}`,
        `whsec_${randomBytes(24).toString("base64")}`,
      ].join();
      expect(
        faultsOf("production", { ...production, PSP_STRIPE_WEBHOOK_SECRET: webhook_secrets }),
        webhook_secrets,
      ).toEqual([]);
      const adyen = {
        ADYEN_HMAC: `${randomBytes(32).toString("hex")},${randomBytes(32).toString("hex").toUpperCase()}`,
        ADYEN_KEY: `AQE${randomBytes(75).toString("base64")}`,
      };
      expect(
        faultsOf("production", { ...production, ...severalPsps, ...adyen }),
        JSON.stringify(adyen),
      ).toEqual([]);
    }
  });

  test.each(["sk_test_51", "rk_test_51", "sk_org_test_"])(
    "for test cards do not start production unless a setting says so: %s",
    (prefix) => {
      const test_key = `${prefix}${random(40)}`;
      const stripe = { ...production, PSP_STRIPE_SECRET_KEY: test_key };
      expect(faultsOf("production", stripe)).toEqual([
        expect.stringMatching(/^PSP_STRIPE_SECRET_KEY: is a test key.*ALLOW_TEST_KEYS=true/),
      ]);
      expect(faultsOf("production", { ...production, ...severalPsps, EU_KEY: test_key })).toEqual([
        expect.stringMatching(/^PSP_ACCOUNTS: the secret key of stripe-eu is a test key/),
      ]);
      expect(faultsOf("production", { ...stripe, ALLOW_TEST_KEYS: "true" })).toEqual([]);
      expect(faultsOf("production", { ...stripe, ALLOW_TEST_KEYS: "false" })).toHaveLength(1);
      expect(faultsOf("production", { ...stripe, ALLOW_TEST_KEYS: "yes" })).toHaveLength(2);
      expect(faultsOf("development", { PSP_STRIPE_SECRET_KEY: test_key })).toEqual([]);
    },
  );

  test("that stand in Stripe's documentation do not start production, whatever is allowed", () => {
    const published = { PSP_STRIPE_SECRET_KEY: "sk_test_4eC39HqLyjWDarjtT1zdp7dc", ALLOW_TEST_KEYS: "true" };
    expect(faultsOf("production", { ...production, ...published })).toEqual([
      expect.stringMatching(/^PSP_STRIPE_SECRET_KEY: stands in the PSP's documentation/),
    ]);
  });

  const weakKeys = [
    "sk_live_1",
    "hunter2",
    `sk_live_${"x".repeat(24)}`,
    "sk_live_your_secret_key_goes_here_4711",
    "whsec_0123456789abcdefghijklmnopqrstuvwxyz",
    `whsec_${"abcdefgh7".repeat(4)}`,
  ];

  test.each(weakKeys)(
    "of Stripe's settings that can be guessed do not start production, and are not repeated: %s",
    (weak) => {
      const webhook_secret = `whsec_${random(32)}`;
      for (const [name, value] of [
        ["PSP_STRIPE_SECRET_KEY", weak],
        ["PSP_STRIPE_WEBHOOK_SECRET", `${webhook_secret},${weak}`],
      ] as const) {
        const faults = faultsOf("production", { ...production, [name]: value });
        expect(faults).toEqual([expect.stringMatching(new RegExp(`^${name}: .*dashboard$`))]);
        for (const secret of [weak, webhook_secret]) expect(faults.join()).not.toContain(secret);
        expect(faultsOf("development", { [name]: value })).toEqual([]);
      }
    },
  );

  test.each([
    ["EU_KEY", "sk_live_1", /^PSP_ACCOUNTS: the secret key of stripe-eu is shorter/],
    ["EU_WEBHOOKS", "whsec_1", /^PSP_ACCOUNTS: a webhook secret of stripe-eu is shorter/],
    ["ADYEN_KEY", "AQE_1", /^PSP_ACCOUNTS: the secret key of adyen-1 is shorter/],
    ["ADYEN_HMAC", "00".repeat(32), /^PSP_ACCOUNTS: a webhook secret of adyen-1 has fewer/],
    ["ADYEN_HMAC", "0123456789abcdef".repeat(4), /^PSP_ACCOUNTS: a webhook secret of adyen-1 repeats/],
  ])("of one of several accounts that can be guessed do not start production: %s=%s", (name, weak, fault) => {
    expect(faultsOf("production", { ...production, ...severalPsps })).toEqual([]);
    const faults = faultsOf("production", { ...production, ...severalPsps, [name]: weak });
    expect(faults).toEqual([expect.stringMatching(fault)]);
    expect(faults.join()).not.toContain(weak);
  });
});

describe("a network of proxies", () => {
  test.each([
    "0.0.0.0/0",
    "::/0",
    "0.0.0.0/1,128.0.0.0/1",
    "10.0.0.0/7",
    "::ffff:0.0.0.0/96",
    "::ffff:0:0/103",
    "0:0:0:0:0:ffff::/96",
    "2000::/3",
  ])("in which strangers have addresses is refused: %s", (value) => {
    for (const mode of ["development", "production"] as const) {
      const faults = faultsOf(mode, { ...production, TRUST_PROXY: value });
      expect(faults).toEqual(
        value.split(",").map((network) => expect.stringContaining(`TRUST_PROXY: "${network}" `) as unknown),
      );
    }
  });

  test("of the size of a company's is trusted, as are single addresses", () => {
    const value =
      "10.0.0.0/8,192.168.0.0/16,127.0.0.1,::1,fd00::/8,::ffff:10.0.0.0/104,::ffff:10.0.0.7,uniquelocal";
    expect(loadConfig("production", { ...production, TRUST_PROXY: value }).trusted_proxies).toEqual(
      value.split(","),
    );
  });
});

describe("a database address", () => {
  test.each([
    "postgres://u:p@127.0.0.1,db.example/pacioli",
    "postgres://u:p@127.0.0.1:5432,db.example:5432/pacioli",
    "postgres://u:p@db.example,a.localhost/pacioli",
    "postgres://u:p@localhost%2Cdb.example/pacioli",
    "postgres://u@/pacioli?host=127.0.0.1,db.example",
    "postgres:///pacioli?host=/var/run,db.example",
  ])("of several hosts is refused by its name: %s", (url) => {
    for (const name of ["DATABASE_URL", "MIGRATION_DATABASE_URL"]) {
      for (const tls of ["verify", "off"])
        expect(faultsOf("development", { [name]: url, DATABASE_TLS: tls })).toEqual([
          `${name}: names several hosts, and the driver connects to one: name that one`,
        ]);
    }
  });

  test("in parts too; a comma in the password is no second host", () => {
    expect(faultsOf("development", { DB_HOST: "127.0.0.1,db.example" })).toEqual([
      expect.stringMatching(/^DB_HOST: names several hosts/),
    ]);
    expect(faultsOf("development", { DATABASE_URL: "postgres://u:a,b@127.0.0.1/pacioli" })).toEqual([]);
  });

  test.each([
    "postgres://u@db.example/x?host=",
    "postgres://u@127.0.0.1/x?host=",
    "postgres://u@x/y?host=127.0.0.1&host=db.example",
    "postgres://u@x/y?host=db.example&host=127.0.0.1",
  ])(
    "whose host stands there twice or empty is encrypted if the driver goes through a network: %s",
    (url) => {
      const { host } = new pg.Client({ connectionString: url });
      expect(
        loadConfig("development", { DATABASE_URL: url }).database_url?.includes("sslmode=verify-full"),
      ).toBe(host !== "127.0.0.1");
    },
  );
});

describe("the built-in development key", () => {
  const check = (environment: Record<string, string>) => (): void =>
    assertBuiltInKeyStaysLocal(loadConfig("development", environment));

  test.each(["0.0.0.0", "::", "192.168.1.7", "laptop.local"])(
    "is not served to other machines: HOST=%s",
    (host) => {
      expect(check({ HOST: host })).toThrow(/HOST: .*PACIOLI_API_KEY/);
      expect(check({ HOST: host, PACIOLI_API_KEY: "sk_dev" })).toThrow(/HOST: .*PACIOLI_API_KEY/);
      expect(check({ HOST: host, PACIOLI_API_KEY: "sk_of_my_own" })).not.toThrow();
    },
  );

  test.each(["127.0.0.1", "127.0.0.2", "::1", "localhost"])("is served to this machine: HOST=%s", (host) => {
    expect(check({ HOST: host })).not.toThrow();
  });

  test("does not hinder commands that do not listen, such as `migrate` in the image, which sets HOST", () => {
    expect(faultsOf("development", { HOST: "0.0.0.0" })).toEqual([]);
  });
});
