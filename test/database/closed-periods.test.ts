import { afterAll, beforeAll, expect, test } from "vitest";
import { Database } from "../../src/db/db.ts";
import {
  closePeriod,
  ensureTickAfter,
  isEffectiveFinal,
  postAll,
  selectBalance,
} from "../../src/ledger/ledger.ts";
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
const end_of_june = "2026-07-01T00:00:00Z";

const post = (name: string, amount_minor: bigint, effective_at: string) =>
  db.database.transaction((tx) =>
    postAll(tx, [{ ...transfer(name, cash, seller, amount_minor), effective_at }]),
  );

const balanceAt = (at: string) => selectBalance(db.database, seller, at);

async function tick(): Promise<void> {
  const [row] = await db.database.query<{ now: string }>("select clock_timestamp() as now");
  await ensureTickAfter(db.database, row?.now ?? "");
}

test("what happened in a closed period is booked at its end, so balances before it are final", async () => {
  await post("june", 5n, "2026-06-10T12:00:00Z");
  await post("july", 7n, "2026-07-02T12:00:00Z");
  expect(await balanceAt("2026-06-30T23:59:59Z")).toBe(-5n);
  expect(await isEffectiveFinal(db.database, "2026-06-30T23:59:59Z")).toBe(false);

  expect(await closePeriod(owner, end_of_june, "cli:test")).toBe(true);
  await tick();
  expect(await isEffectiveFinal(db.database, "2026-06-30T23:59:59Z")).toBe(true);
  expect(await isEffectiveFinal(db.database, end_of_june)).toBe(false);

  await post("june, reported late", 11n, "2026-06-20T12:00:00Z");
  expect(await balanceAt("2026-06-30T23:59:59Z")).toBe(-5n);
  expect(await balanceAt(end_of_june)).toBe(-16n);
  expect(await balanceAt("2026-07-03T00:00:00Z")).toBe(-23n);
});

test("a period is not final while a posting that began before its end was closed is under way", async () => {
  const end_of_july = "2026-08-01T00:00:00Z";
  await db.database.transaction(async (tx) => {
    await postAll(tx, [
      { ...transfer("slow", cash, purse("other"), 1n), effective_at: "2026-07-15T00:00:00Z" },
    ]);
    expect(await closePeriod(owner, end_of_july, "cli:test")).toBe(true);
    await tick();
    expect(await isEffectiveFinal(db.database, "2026-07-20T00:00:00Z")).toBe(false);
  });
  await tick();
  expect(await isEffectiveFinal(db.database, "2026-07-20T00:00:00Z")).toBe(true);
  expect(await selectBalance(db.database, purse("other"), "2026-07-20T00:00:00Z")).toBe(-1n);
});

test("the future, and what is closed already, cannot be closed", async () => {
  expect(await closePeriod(owner, "2999-01-01T00:00:00Z", "cli:test")).toBe(false);
  expect(await closePeriod(owner, end_of_june, "cli:test")).toBe(false);
  await expect(
    db.asService("insert into ledger_closed_periods (until, closed_by) values (now(), 'x')"),
  ).rejects.toMatchObject({ code: "42501" });
});
