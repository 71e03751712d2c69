import { hash, randomBytes } from "node:crypto";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { ChildProcess } from "../../src/cli/child-process.ts";
import { checkLogin } from "../../src/db/db.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { startTestStack, type TestStack } from "../support/stack.ts";
import { acceptCheckout, orderIn, path } from "./requests.ts";

let stack: TestStack;
beforeAll(async () => {
  // One call at a time: the process may hold sixteen orders.
  stack = await startTestStack({ environment: { PSP_CONCURRENCY: "1" } });
});
afterAll(() => stack.stopAll());

async function jobsOf(orderIds: readonly string[]): Promise<number> {
  const [row] = await stack.db.asOwner(
    "select count(*)::int as jobs from pgboss.job where name = 'payment_execute' and data ->> 'payment_order_id' = any ($1)",
    [orderIds],
  );
  return Number(row?.["jobs"]);
}

test("an order starts with its acceptance and passes no queue", async () => {
  // The first may still queue: the process has not looked yet whether older orders wait.
  const first = await acceptCheckout(stack);
  await orderIn(stack, first.order_ids[0], "SUCCESS");
  const { order_ids } = await acceptCheckout(stack, {}, [{}, {}]);
  for (const id of order_ids)
    expect(path(await orderIn(stack, id, "SUCCESS"))).toBe("NOT_STARTED EXECUTING SUCCESS");
  expect(await jobsOf(order_ids)).toBe(0);
});

test("what a process cannot hold waits in the queue, and every order is paid once", async () => {
  const { order_ids } = await acceptCheckout(
    stack,
    {},
    Array.from({ length: 40 }, () => ({})),
  );
  for (const id of order_ids)
    expect(path(await orderIn(stack, id, "SUCCESS"))).toBe("NOT_STARTED EXECUTING SUCCESS");
  expect(await jobsOf(order_ids)).toBe(24);
  expect(await stack.effectsSummary()).toMatchObject({ charges: 43, duplicate_orders: [] });
});

describe("the development key", () => {
  let db: TestDatabase;
  beforeAll(async () => {
    db = await createTestDatabase();
  });
  afterAll(() => db.drop());

  /** Starts `serve` on the test's database as production would. Errors with what it says when it refuses. */
  async function serve(
    environment: Record<string, string> = {},
    command: "serve" | "run" = "serve",
  ): Promise<string> {
    const service = new ChildProcess({
      name: "service",
      script: join(import.meta.dirname, "../../src/main.ts"),
      arguments: [command],
      ready_event: "service_ready",
      environment: {
        DATABASE_URL: db.service_url,
        MIGRATION_DATABASE_URL: "",
        SECRET_KEY: randomBytes(32).toString("hex"),
        PSP_STRIPE_SECRET_KEY: `sk_live_${randomBytes(18).toString("base64")}`,
        PORT: "0",
        OPERATIONS_PORT: "0",
        LOG_LEVEL: "fatal",
        ...environment,
      },
    });
    onTestFinished(() => service.stop());
    return service.start();
  }

  const statusWith = async (url: string, token: string): Promise<number> =>
    (await fetch(`${url}/api/v1/payments`, { headers: { authorization: `Bearer ${token}` } })).status;

  const store = (token: string, name: string): Promise<unknown> =>
    db.asOwner(
      "insert into api_keys (key_id, key_hash, name, last_four, scopes) values ('key_early', $1, $2, '', '{admin}')",
      [hash("sha256", token, "buffer"), name],
    );

  test("is let in by development and stored nowhere", async () => {
    expect(await statusWith(stack.service_url, "sk_dev")).toBe(200);
    expect(await stack.db.asOwner("select name from api_keys")).toEqual([]);
  });

  test("opens nothing in production, on the same database", async () => {
    const { token } = await db.createKey("shop", ["read"]);
    const url = await serve();
    expect(await statusWith(url, "sk_dev")).toBe(401);
    expect(await statusWith(url, token)).toBe(200);
  });

  test.for([
    ["sk_dev", "by hand"],
    ["sk_demo", "by hand"],
    ["sk_chaos", "by hand"],
    ["x", "environment"],
    [randomBytes(24).toString("hex"), "environment"],
  ] as const)(
    "stored by an earlier version keeps production from starting until it is revoked: %s named %s",
    async ([token, name]) => {
      await store(token, name);
      await expect(serve()).rejects.toThrow(
        /Development keys are in force in this database: key_early\. Revoke them/,
      );
      expect(await db.revokeKey("key_early")).toBe(true);
      expect(await statusWith(await serve(), token)).toBe(401);
      await db.asOwner("delete from api_keys where key_id = 'key_early'");
    },
  );

  test("is not served to other machines, and a key of one's own is", async () => {
    await expect(serve({ HOST: "0.0.0.0" }, "run")).rejects.toThrow(/HOST: "0\.0\.0\.0" .*PACIOLI_API_KEY/);
    const url = new URL(await serve({ HOST: "0.0.0.0", PACIOLI_API_KEY: "sk_of_my_own" }, "run"));
    url.hostname = "127.0.0.1";
    expect([await statusWith(url.origin, "sk_dev"), await statusWith(url.origin, "sk_of_my_own")]).toEqual([
      401, 200,
    ]);
  });

  test("given to production keeps it from starting, and the message does not repeat it", async () => {
    const key = `sk_${randomBytes(32).toString("hex")}`;
    const refusal = await serve({ PACIOLI_API_KEY: key }).then(() => "started", String);
    expect(refusal).toContain("PACIOLI_API_KEY: is for development only");
    expect(refusal).not.toContain(key);
  });
});

test("a database that cannot speak TLS is not used through a network: no password reaches it in the clear", async () => {
  // The server is on this machine; asked for as if it were not.
  const url = new URL(stack.db.service_url);
  url.searchParams.set("sslmode", "verify-full");
  await expect(checkLogin(url.toString())).rejects.toThrow("does not support SSL");
});
