import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  ensureTickAfter,
  postAll,
  selectBookedBalance,
  selectBookedVersions,
  selectStatement,
} from "../../src/ledger/ledger.ts";
import { Database } from "../../src/db/db.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { account, purse, transfer } from "../support/ledger.ts";

let db: TestDatabase;
let writers: Database;
beforeAll(async () => {
  db = await createTestDatabase();
  writers = new Database({ url: db.service_url, application_name: "writers", connections_max: 32 });
});
afterAll(async () => {
  await writers.close();
  await db.drop();
});

const sellers = Array.from({ length: 6 }, (_, index) => purse(`seller-${index}`));
const cashOf = (writer: number) => account(`cash-${writer % 8}`);
const codes = [...Array.from({ length: 8 }, (_, index) => cashOf(index)), ...sellers];

async function timeOfDatabase(): Promise<string> {
  const [row] = await db.database.query<{ now: string }>("select clock_timestamp() as now");
  if (row === undefined) throw new Error("the database did not tell the time");
  return row.now;
}

/** The balance and statement of every account as of a time, as text. */
async function readAsOf(at: string): Promise<string> {
  const read = codes.map(async ({ code, currency }) => {
    const balance = await selectBookedBalance(db.database, { code, currency }, at);
    const booked = await selectBookedVersions(db.database, { code, currency }, null, at);
    const entries =
      booked === undefined ? [] : await selectStatement(db.database, { code, currency }, booked, 10_000);
    const sum = entries.reduce((total, entry) => total + entry.amount_minor, 0n);
    expect([code, sum]).toEqual([code, balance?.balance_minor ?? 0n]);
    return JSON.stringify({ code, balance, entries }, (_, value: unknown) =>
      typeof value === "bigint" ? String(value) : value,
    );
  });
  return (await Promise.all(read)).join("\n");
}

test("booked balances and statements as of a time stay equal byte for byte while 32 writers post, some of them slowly", async () => {
  // Each account is there from the beginning.
  const first = codes.slice(8).map((seller, index) => transfer(`first-${index}`, cashOf(index), seller, 1n));
  const others = [6, 7].map((index) => transfer(`first-${index}`, cashOf(index), codes[8] ?? cashOf(0), 1n));
  await db.database.transaction((tx) => postAll(tx, [...first, ...others]));
  let isOver = false;
  let count = 0;
  const write = async (writer: number): Promise<void> => {
    while (!isOver) {
      count += 1;
      // A slow one holds the locks of its accounts, and was written long before it commits.
      const isSlow = writer < 2;
      const seller = isSlow ? sellers[writer] : sellers[2 + (count % 4)];
      if (seller === undefined) throw new Error("there are six sellers");
      const draft = transfer(`as-of-${writer}-${count}`, cashOf(writer), seller, BigInt(1 + (count % 50)));
      await writers.transaction(async (tx) => {
        await postAll(tx, [draft]);
        await sleep(isSlow ? 1_500 : 0);
      });
      await sleep(Math.random() * 20);
    }
  };
  const writing = Array.from({ length: 32 }, (_, writer) => write(writer));
  const readings: { at: string; text: string }[] = [];
  const end = Date.now() + 4_000;
  while (Date.now() < end) {
    const at = await timeOfDatabase();
    expect(await ensureTickAfter(db.database, at)).toBe(true);
    readings.push({ at, text: await readAsOf(at) });
    await sleep(50);
  }
  isOver = true;
  await Promise.all(writing);
  expect(readings.length).toBeGreaterThan(5);
  expect(new Set(readings.map(({ text }) => text)).size).toBeGreaterThan(2);
  for (const { at, text } of readings) expect(await readAsOf(at)).toBe(text);
});

test("a time that the database has not reached has no final answer", async () => {
  expect(await ensureTickAfter(db.database, "2999-01-01T00:00:00Z")).toBe(false);
});

test("before the books began every balance is 0", async () => {
  const before = await selectBookedBalance(
    db.database,
    { code: "cash-0", currency: "USD" },
    "2020-01-01T00:00:00Z",
  );
  expect(before).toEqual({ balance_minor: 0n, booked_at: null, is_detached: false });
});
