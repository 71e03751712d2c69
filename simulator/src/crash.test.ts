import { once } from "node:events";
import { afterAll, beforeAll, expect, test } from "vitest";
import { charge, createTestDatabase, sdk, spawnForTest, summary, type TestDatabase } from "./testing.ts";

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(async () => {
  await database.drop();
});

function order(key: string): ReturnType<typeof charge> {
  return charge({ metadata: { payment_order_id: key } });
}

interface Outcome {
  sent: string[];
  answered: Map<string, string>;
}

/** Sends charges until the connection breaks; gives back which keys were answered with which intent. */
async function chargeUntilKilled(url: string, prefix: string): Promise<Outcome> {
  const stripe = sdk(url, 3_000);
  const sent: string[] = [];
  const answered = new Map<string, string>();
  let number = 0;
  const worker = async (): Promise<void> => {
    for (;;) {
      const key = `${prefix}-${(number += 1)}`;
      sent.push(key);
      try {
        const intent = await stripe.paymentIntents.create(order(key), { idempotencyKey: key });
        answered.set(key, intent.id);
      } catch {
        return;
      }
    }
  };
  await Promise.all(Array.from({ length: 16 }, worker));
  return { sent, answered };
}

test("after kill -9 under load nothing that was answered is lost and no repeated request charges again", async () => {
  const sent: string[] = [];
  const answered = new Map<string, string>();
  for (const round of [1, 2, 3]) {
    const simulator = await spawnForTest(database.url);
    setTimeout(() => simulator.process.kill("SIGKILL"), 700);
    const result = await chargeUntilKilled(simulator.url, `round${round}`);
    sent.push(...result.sent);
    for (const [key, id] of result.answered) answered.set(key, id);
  }
  expect(answered.size).toBeGreaterThan(50);

  const last = await spawnForTest(database.url);
  const stripe = sdk(last.url);
  const before = await summary(last.url);
  expect(before.charges).toBeGreaterThanOrEqual(answered.size);
  for (let at = 0; at < sent.length; at += 64) {
    await Promise.all(
      sent.slice(at, at + 64).map(async (key) => {
        const again = await stripe.paymentIntents.create(order(key), { idempotencyKey: key });
        if (answered.has(key)) expect(again.id).toBe(answered.get(key));
      }),
    );
  }
  expect(await summary(last.url)).toEqual({ charges: sent.length, duplicates: 0 });
  const exited = once(last.process, "exit");
  last.process.kill("SIGTERM");
  expect(await exited).toEqual([0, null]);
});

test("two simulators that start at once on a database that does not exist yet both come up", async () => {
  const url = new URL(database.url);
  const other = `${url.pathname.slice(1)}_fresh`;
  url.pathname = `/${other}`;
  const both = await Promise.all([spawnForTest(url.href), spawnForTest(url.href)]);
  for (const { url: base } of both) expect(await summary(base)).toEqual({ charges: 0, duplicates: 0 });
  for (const one of both) {
    const exited = once(one.process, "exit");
    one.process.kill("SIGTERM");
    await exited;
  }
  const { default: pg } = await import("pg");
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await client.query(`drop database ${other} with (force)`);
  await client.end();
});
