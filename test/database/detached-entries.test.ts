import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { verifyAndRecord } from "../../src/cli/verify.ts";
import {
  detachPartitions,
  postAll,
  selectBalance,
  selectBookedBalance,
  selectStatement,
} from "../../src/ledger/ledger.ts";
import { Database } from "../../src/db/db.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { account, purse, transfer } from "../support/ledger.ts";

let db: TestDatabase;
let owner: Database;
beforeAll(async () => {
  db = await createTestDatabase();
  owner = new Database({ url: db.url, application_name: "owner", connections_max: 1 });
});
afterAll(async () => {
  await owner.close();
  await db.drop();
});

const cash = account("cash");
const seller = purse("seller");
const future = "2999-01-01T00:00:00Z";

const post = (name: string, amount_minor: bigint) =>
  db.database.transaction((tx) => postAll(tx, [transfer(name, cash, seller, amount_minor)]));

async function now(): Promise<string> {
  const [row] = await db.database.query<{ now: string }>("select clock_timestamp() as now");
  return row?.now ?? "";
}

/** A closing needs a tick that is the first of its second. */
async function close(): Promise<void> {
  for (let closing: unknown = null; closing === null;) {
    await sleep(300);
    await db.database.transaction((tx) => tx.query("select take_tick($1)", [true]));
    const [row] = await db.database.transaction((tx) =>
      tx.query<{ closing_id: bigint | null }>("select ledger_add_closing() as closing_id"),
    );
    closing = row?.closing_id ?? null;
  }
}

const faultsOf = async (is_full: boolean): Promise<readonly string[]> => {
  const { checks } = await verifyAndRecord(db.database, { is_full });
  return checks.flatMap(({ faults }) => faults.map(({ subject, problem }) => `${subject}: ${problem}`));
};

test("entries leave once they are verified; balances, statements, verify and new postings stay right", async () => {
  await post("old-1", 5n);
  await post("old-2", 7n);
  const between = await now();
  // As if the first partition were full.
  await db.asOwner("select setval('ledger_transactions_transaction_id_seq', 16777216, true)");
  await post("new-1", 11n);
  expect(await detachPartitions(owner, future), "nothing is closed yet").toEqual([]);

  for (let round = 0; round < 3; round++) await close().then(() => post(`later-${round}`, 1n));
  expect(await detachPartitions(owner, future), "nothing is verified yet").toEqual([]);
  expect(await faultsOf(true)).toEqual([]);
  expect(await detachPartitions(owner, "2020-01-01T00:00:00Z"), "not old enough").toEqual([]);

  expect(await detachPartitions(owner, future)).toContain("ledger_entries_1");
  expect(await db.asOwner("select count(*)::int as n from ledger_entries_1")).toEqual([{ n: 4 }]);
  expect(await selectBalance(db.database, seller)).toBe(-26n);
  const lines = await selectStatement(db.database, seller, { after_version: 0n }, 100);
  expect(lines.map(({ subject_id }) => subject_id)).not.toContain("old-1");
  expect(lines.at(-1)?.balance_after_minor).toBe(-26n);
  expect(await selectBookedBalance(db.database, seller, between)).toMatchObject({ is_detached: true });

  expect(await post("old-1", 5n), "a name stays taken").toMatchObject([{ outcome: "already_posted" }]);
  expect(await post("afterwards", 2n)).toMatchObject([{ outcome: "posted" }]);
  expect(await faultsOf(false)).toEqual([]);
  expect(await faultsOf(true)).toEqual([]);
});
