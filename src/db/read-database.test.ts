import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";
import { Database, sqlStateOf } from "./database.ts";
import { ReadDatabase, type ReadLimits } from "./read-database.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterAll(() => db.drop());

const statement_timeout_ms = 400;

function openReads(limits: Partial<ReadLimits> = {}): ReadDatabase {
  const all = { at_once_max: 1, waiting_max: 2, wait_ms_max: 5_000, ...limits };
  const reads = new ReadDatabase(
    new Database({
      url: db.service_url,
      application_name: "test-reads",
      connections_max: all.at_once_max,
      statement_timeout_ms,
      is_read_only: true,
    }),
    all,
  );
  onTestFinished(() => reads.close());
  return reads;
}
const one = (reads: ReadDatabase): Promise<unknown[]> => reads.query("select 1 as one");
const slow = (reads: ReadDatabase, seconds: number): Promise<unknown[]> =>
  reads.query("select pg_sleep($1)", [seconds]);
const busy = { code: "concurrency_limited", status: 429, retry_after_seconds: 1 };

test("a snapshot shows one moment, whatever is committed between its statements", async () => {
  const reads = openReads();
  const count = "select count(*)::int as count from risk_block_list";
  const seen = await reads.snapshot(async (snapshot) => {
    const before = await snapshot.query(count);
    await db.asService(
      "insert into risk_block_list (kind, value, reason, created_by) values ('buyer_account', 'meanwhile', 'test', 'test')",
    );
    return [...before, ...(await snapshot.query(count))];
  });
  expect(seen).toEqual([{ count: 0 }, { count: 0 }]);
  expect(await reads.query(count)).toEqual([{ count: 1 }]);
});

test("a read cannot write, neither as one statement nor in a snapshot", async () => {
  const reads = openReads();
  const insert =
    "insert into risk_block_list (kind, value, reason, created_by) values ('buyer_account', 'x', 'test', 'test')";
  const state = (error: unknown): string | undefined => sqlStateOf(error);
  expect(await reads.query(insert).catch(state)).toBe("25006");
  expect(await reads.snapshot((snapshot) => snapshot.query(insert)).catch(state)).toBe("25006");
  expect(await one(reads)).toEqual([{ one: 1 }]);
});

test("a read that takes too long is stopped with a code that says to narrow it, and its connection is used again", async () => {
  const reads = openReads();
  await expect(slow(reads, 3)).rejects.toMatchObject({
    code: "read_timeout",
    status: 503,
    message: expect.stringContaining("narrow") as string,
  });
  await expect(reads.snapshot((snapshot) => snapshot.query("select pg_sleep(3)"))).rejects.toMatchObject({
    code: "read_timeout",
  });
  expect(await one(reads)).toEqual([{ one: 1 }]);
});

test("as many reads wait as may, the next is refused at once, and none is lost", async () => {
  const reads = openReads({ at_once_max: 2, waiting_max: 3 });
  const running = [slow(reads, 0.2), slow(reads, 0.2)];
  const waiting = [one(reads), one(reads), one(reads)];
  await expect(one(reads)).rejects.toMatchObject(busy);
  await Promise.all(running);
  expect(await Promise.all(waiting)).toEqual([[{ one: 1 }], [{ one: 1 }], [{ one: 1 }]]);
  expect(await one(reads)).toEqual([{ one: 1 }]);
});

test("a read that has waited too long is refused instead of run, and the ones behind it are not held up", async () => {
  const reads = openReads({ waiting_max: 10, wait_ms_max: 50 });
  const running = slow(reads, 0.2);
  const late = one(reads);
  await expect(Promise.all([running, late])).rejects.toMatchObject(busy);
  expect(await one(reads)).toEqual([{ one: 1 }]);
});

test("failed reads give their places back", async () => {
  const reads = openReads({ at_once_max: 2, waiting_max: 100 });
  const results = await Promise.allSettled(
    Array.from({ length: 50 }, (_, index) => reads.query(index % 2 === 0 ? "select 1/0" : "select 1 as one")),
  );
  expect(results.filter((result) => result.status === "rejected")).toHaveLength(25);
  expect(await Promise.all([one(reads), one(reads), one(reads)])).toHaveLength(3);
});
