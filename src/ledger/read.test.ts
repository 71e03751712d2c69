import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";
import { account, eur, purse, transfer, usd } from "../../test/support/ledger.ts";
import type { EntryFilter, EntryRow, TransactionKind, TransactionName } from "./ledger.ts";
import {
  entryIdOf,
  entryKeyOf,
  postAll,
  selectAccounts,
  selectBalance,
  selectEntries,
  selectEntry,
  selectStatement,
  selectTrialBalance,
} from "./ledger.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterAll(() => db.drop());

const about = (id: string) => ({ type: "adjustment", id }) as const;

/** Microseconds since 1970 of an RFC 3339 time in UTC. */
function microseconds(at: string): bigint {
  const [, whole = "", fraction = ""] = /^(.*?)(?:\.(\d+))?Z$/.exec(at) ?? [];
  return BigInt(Date.parse(`${whole}Z`)) * 1_000n + BigInt(fraction.padEnd(6, "0"));
}

/** The time so many microseconds since 1970. */
function timeOf(microsecond: bigint): string {
  const whole = new Date(Number(microsecond / 1_000_000n) * 1_000).toISOString().slice(0, 19);
  return `${whole}.${String(microsecond % 1_000_000n).padStart(6, "0")}Z`;
}

test("balances as of the time when things happened are those of a model, with backdated and postdated transactions among the others", async () => {
  const hour = 3_600_000_000n;
  const seller = purse("timed");
  const start = BigInt(Date.now()) * 1_000n;
  // Whole hours before and after now, and null for most: recorded when it happened.
  const offsets = [
    null,
    -2n,
    null,
    3n,
    null,
    null,
    -5n,
    1n,
    null,
    -1n,
    2n,
    null,
    -4n,
    null,
    6n,
    null,
    null,
    -3n,
    null,
    4n,
  ];
  for (const [index, hours] of offsets.entries()) {
    const draft = transfer(`timed-${index}`, account("timed:cash"), seller, BigInt(index + 1));
    await db.database.transaction((tx) =>
      postAll(tx, [{ ...draft, ...(hours === null ? {} : { effective_at: timeOf(start + hours * hour) }) }]),
    );
  }
  const rows = (await selectStatement(db.database, seller, { after_version: 0n }, 100)).map((row) => ({
    amount: row.amount_minor,
    recorded: microseconds(row.created_at),
    effective: microseconds(row.effective_at),
  }));
  expect(rows.map((row) => row.amount)).toEqual(offsets.map((_, index) => -BigInt(index + 1)));

  const times = new Set(
    rows.flatMap((row) => [row.recorded, row.effective]).flatMap((time) => [time - 1n, time, time + 1n]),
  );
  for (const at of [0n, ...times, start + 100n * hour]) {
    const expected = rows.filter((row) => row.effective <= at).reduce((sum, row) => sum + row.amount, 0n);
    expect([timeOf(at), await selectBalance(db.database, seller, timeOf(at))]).toEqual([
      timeOf(at),
      expected,
    ]);
  }
  expect(await selectBalance(db.database, seller)).toBe(-210n);
});

test("an account that does not exist has no balance, then or now", async () => {
  const nowhere = { code: "nowhere", currency: usd };
  expect(await selectBalance(db.database, nowhere)).toBeUndefined();
  expect(await selectBalance(db.database, nowhere, "2026-01-01T00:00:00Z")).toBeUndefined();
});

test("time never runs backwards along an account, also when posters overtake each other", async () => {
  const seller = purse("clocked");
  await Promise.all(
    Array.from({ length: 8 }, async (_, poster) => {
      for (let round = 0; round < 10; round++) {
        await db.database.transaction((tx) =>
          postAll(tx, [transfer(`clocked-${poster}-${round}`, account("clocked:cash"), seller, 1n)]),
        );
      }
    }),
  );
  const times = (await selectStatement(db.database, seller, { after_version: 0n }, 100)).map((row) =>
    microseconds(row.created_at),
  );
  expect(times).toHaveLength(80);
  expect(times.every((time, index) => index === 0 || time >= (times[index - 1] ?? 0n))).toBe(true);
});

test("a statement shows an account's entries in order with the balance after each, page by page", async () => {
  const seller = purse("stated");
  await db.database.transaction((tx) =>
    postAll(
      tx,
      [5n, 7n, 11n].map((amount) => transfer(`stated-${amount}`, account("stated:cash"), seller, amount)),
    ),
  );
  const first = await selectStatement(db.database, seller, { after_version: 0n }, 2);
  expect(first.map((row) => [row.subject_id, row.amount_minor, row.balance_after_minor])).toEqual([
    ["stated-5", -5n, -5n],
    ["stated-7", -7n, -12n],
  ]);
  const second = await selectStatement(
    db.database,
    seller,
    { after_version: first.at(-1)?.account_version ?? 0n },
    2,
  );
  expect(second.map((row) => [row.subject_id, row.amount_minor, row.balance_after_minor])).toEqual([
    ["stated-11", -11n, -23n],
  ]);
  expect(
    await selectStatement(db.database, { code: "stated", currency: "EUR" }, { after_version: 0n }, 2),
  ).toEqual([]);
});

test("an entry is found again by its public id", async () => {
  await db.database.transaction((tx) =>
    postAll(tx, [transfer("identified", account("identified:cash"), purse("identified"), 5n)]),
  );
  const entries = await selectEntries(db.database, { subject: about("identified"), limit: 10 });
  expect(entries).toHaveLength(2);
  for (const entry of entries) {
    const key = entryKeyOf(entryIdOf(entry));
    expect(
      key === undefined ? undefined : await selectEntry(db.database, key.account_id, key.account_version),
    ).toEqual(entry);
  }
  expect(await selectEntry(db.database, 1n, 2n ** 62n - 1n)).toBeUndefined();
});

const ofOrder = (subject_id: string, kind: TransactionKind): TransactionName => ({
  kind,
  subject_type: "order",
  subject_id,
  part: "",
});
const found = async (filter: Partial<EntryFilter>): Promise<string[]> =>
  (await selectEntries(db.database, { limit: 100, ...filter })).map((row) => `${row.subject_id} ${row.code}`);

test("entries are found by owner, account, transaction, subject, kind and currency", async () => {
  const owned = (currency = usd) => ({ ...purse("seller:owned:pending", currency), owner_id: "owned" });
  await db.database.transaction((tx) =>
    postAll(tx, [
      { ...transfer("o-1", account("filter:cash"), owned(), 5n), ...ofOrder("o-1", "captured") },
      { ...transfer("o-1", owned(), account("filter:cash"), 1n), ...ofOrder("o-1", "refunded") },
      {
        ...transfer("o-10", account("filter:cash", { currency: eur }), owned(eur), 5n),
        ...ofOrder("o-10", "captured"),
      },
      transfer("o-1", account("filter:elsewhere"), purse("filter:other"), 3n),
    ]),
  );
  const ofOne = { type: "order", id: "o-1" } as const;
  const ofTen = { type: "order", id: "o-10" } as const;
  const captured = ["o-1 filter:cash", "o-1 seller:owned:pending"];
  expect((await found({ subject: ofOne, kind: "captured" })).toSorted()).toEqual(captured);
  expect(await found({ subject: ofOne })).toHaveLength(4);
  expect(await found({ subject: ofOne, kind: "released" })).toEqual([]);
  expect(await found({ owner_id: "owned", currency: "EUR" })).toEqual(["o-10 seller:owned:pending"]);
  expect(await found({ owner_id: "owned" })).toHaveLength(3);
  expect(await found({ code: "filter:cash", subject: ofTen })).toHaveLength(1);
  const [row] = await selectEntries(db.database, { subject: ofTen, limit: 1 });
  const ofTransaction = await found(row === undefined ? {} : { transaction_id: row.transaction_id });
  expect(ofTransaction).toHaveLength(2);
  expect(ofTransaction.every((line) => line.startsWith("o-10 "))).toBe(true);
});

test("an owner named like an account code is not mixed up with that account", async () => {
  const named = "psp:stripe:clearing";
  const clearing = account(named);
  const seller = { ...purse(`seller:${named}:pending`), owner_id: named };
  await db.database.transaction((tx) =>
    postAll(tx, [
      transfer("named:1", clearing, purse("named:other"), 70n),
      transfer("named:2", clearing, seller, 5n),
    ]),
  );
  expect((await found({ code: named })).toSorted()).toEqual([`named:1 ${named}`, `named:2 ${named}`]);
  expect(await found({ owner_id: named })).toEqual([`named:2 seller:${named}:pending`]);
  expect(await selectAccounts(db.database, { code: named, limit: 9 })).toMatchObject([
    { code: named, owner_id: null, balance_minor: 75n },
  ]);
  expect(await selectAccounts(db.database, { owner_id: named, limit: 9 })).toMatchObject([
    { code: seller.code, balance_minor: -5n },
  ]);
});

test("a subject is taken literally, whatever characters it has", async () => {
  const ids = ["p%q", "pxq", "p_q", "p\\q", "pq", "p'q"];
  await db.database.transaction((tx) =>
    postAll(
      tx,
      ids.map((id) => transfer(id, account("literal:cash"), purse("literal"), 1n)),
    ),
  );
  for (const id of ids)
    expect([id, await found({ subject: about(id), code: "literal" })]).toEqual([id, [`${id} literal`]]);
});

test("pages of entries, newest first, meet every entry once", async () => {
  const pages: EntryRow[] = [];
  for (let last: EntryRow | undefined; ;) {
    const page = await selectEntries(db.database, {
      limit: 7,
      ...(last === undefined ? {} : { before: last }),
    });
    pages.push(...page);
    last = page.at(-1);
    if (page.length < 7) break;
  }
  const [total] = await db.asService("select count(*)::int as count from ledger_entries");
  expect(new Set(pages.map(entryIdOf))).toHaveLength(Number(total?.["count"]));
  expect(
    pages.every(
      (row, index) => index === 0 || row.transaction_id <= (pages[index - 1]?.transaction_id ?? 0n),
    ),
  ).toBe(true);
});

test("the trial balance gives debits and credits of each currency by themselves, and they are equal", async () => {
  const other = await createTestDatabase();
  try {
    await other.database.transaction((tx) =>
      postAll(tx, [
        transfer("t-1", account("a"), purse("b"), 100n),
        transfer("t-2", account("c"), account("a"), 30n),
        transfer("t-3", account("a", { currency: eur }), purse("b", eur), 7n),
      ]),
    );
    expect(await selectTrialBalance(other.database)).toEqual([
      { currency: "EUR", debit_minor: 7n, credit_minor: 7n, account_count: 2n },
      { currency: "USD", debit_minor: 100n, credit_minor: 100n, account_count: 3n },
    ]);
  } finally {
    await other.drop();
  }
});
