import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { postRaw } from "../support/ledger-rows.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterAll(() => db.drop());

const refused = { code: "42501" };
let run = 0;
beforeEach(() => {
  run += 1;
});

type RawEntry = readonly [code: string, currency: string, amount: number];

const post = (entries: readonly RawEntry[], floor?: number | null, name = `s${run}`): Promise<unknown[]> =>
  postRaw(db, name, entries, floor);

/** Two accounts (USD, EUR), an account more (USD), and a transaction without entries, written by the owner. */
async function rawRows(): Promise<{ usd: string; eur: string; other: string; transaction: string }> {
  const name = `raw${run}`;
  const accounts = await db.asOwner(
    `insert into ledger_accounts (kind, role, currency, code) values ('asset', 'other', 'USD', $1), ('asset', 'other', 'EUR', $1), ('liability', 'other', 'USD', $1 || ':other') returning account_id`,
    [name],
  );
  const [transaction] = await db.asOwner(
    "insert into ledger_transactions (created_at, xid, kind, subject_type, subject_id, part) values (now(), 1, 'adjusted', 'adjustment', $1, '') returning transaction_id",
    [name],
  );
  const [usd = "", eur = "", other = ""] = accounts.map((row) => String(row["account_id"]));
  return { usd, eur, other, transaction: String(transaction?.["transaction_id"]) };
}

describe("history cannot be changed (R223)", () => {
  beforeAll(() =>
    post(
      [
        ["kept:a", "USD", 500],
        ["kept:b", "USD", -500],
      ],
      null,
      "kept",
    ),
  );

  test.for([
    "update ledger_entries set amount_minor = 1",
    "update ledger_entries set amount_minor = amount_minor where false",
    "delete from ledger_entries",
    "truncate ledger_entries",
    "update ledger_transactions set subject_id = 'x'",
    "delete from ledger_transactions",
    "truncate ledger_transactions cascade",
    "delete from ledger_accounts",
    "truncate ledger_accounts cascade",
    "insert into events (xid, type, subject_type, subject_id, data) values (1, 'checkout.created', 'checkout', 'c', '{}'); update events set type = 'checkout.completed'",
    "delete from events",
    "truncate events",
    "update payment_order_transitions set actor = 'x'",
    "delete from payment_order_transitions",
    "truncate payment_order_transitions",
  ])("%s fails as the service's role by its rights, and as the owner by a trigger", async (statement) => {
    await expect(db.asService(statement)).rejects.toMatchObject(refused);
    await expect(db.asOwner(statement)).rejects.toMatchObject({ code: "PL002" });
    expect(await db.asOwner("select count(*)::int as n from ledger_entries")).not.toEqual([{ n: 0 }]);
  });

  test.for([
    "alter table ledger_entries disable trigger all",
    "drop trigger ledger_entries_append_only on ledger_entries",
    "drop table ledger_entries",
    "drop function ledger_check_entries() cascade",
    "set session_replication_role = replica",
    "alter role pacioli_template_service superuser",
    "create table mine (x int)",
    "create function f() returns int language sql as 'select 1'",
    "update ledger_accounts set balance_minor = 0",
    "insert into payment_order_allowed_transitions values ('SUCCESS', 'FAILED')",
  ])("the service's role may not: %s", async (statement) => {
    await expect(db.asService(statement)).rejects.toMatchObject(refused);
  });

  test("the only functions that the service's role may run are the doors", async () => {
    const rows = await db.asOwner(
      `select p.proname from pg_proc p join pg_namespace n on n.oid = p.pronamespace
        where n.nspname = 'public' and p.prosecdef and has_function_privilege($1, p.oid, 'execute') order by 1`,
      [db.service_role],
    );
    for (const { proname } of rows)
      expect(String(proname)).not.toMatch(/write_batch|record_|after_insert|after_update/);
    expect(rows.map((row) => row["proname"])).toContain("ledger_post");
  });

  test("the service's role can update no column that says how much, whose or which", async () => {
    const rows = await db.asOwner(
      `select table_name || '.' || column_name as name from information_schema.column_privileges
        where grantee = $1 and privilege_type = 'UPDATE' and table_schema = 'public' and table_name <> 'risk_buyer_days'`,
      [db.service_role],
    );
    const names = rows.map((row) => String(row["name"]));
    expect(names).toContain("payment_orders.status");
    expect(
      names.filter((name) =>
        /amount|currency|seller|buyer|checkout_id|payment_order_id|psp_key|fingerprint|key_hash|body|^ledger_|transitions|^events/.test(
          name,
        ),
      ),
    ).toEqual([]);
  });

  test("the service's role can delete only what expires or is a setting", async () => {
    const rows = await db.asOwner(
      `select table_name from information_schema.table_privileges
        where grantee = $1 and privilege_type in ('DELETE', 'TRUNCATE') and table_schema = 'public' order by 1`,
      [db.service_role],
    );
    expect(rows.map((row) => row["table_name"])).toEqual(["idempotency_keys", "risk_block_list"]);
  });
});

describe("a transaction that does not balance cannot be written (R220)", () => {
  test.for([
    ["one side only", [["x:a", "USD", 5]]],
    [
      "a cent too much",
      [
        ["x:a", "USD", 500],
        ["x:b", "USD", -499],
      ],
    ],
    [
      "two currencies that only add up together",
      [
        ["x:a", "USD", 5],
        ["x:b", "EUR", -5],
      ],
    ],
    [
      "one currency of two",
      [
        ["x:a", "USD", 5],
        ["x:b", "USD", -5],
        ["x:a", "EUR", 1],
      ],
    ],
  ] as const)("%s, through the service's own door", async ([, entries]) => {
    await expect(post(entries)).rejects.toMatchObject({ code: "PL003" });
    expect(await db.asOwner("select 1 from ledger_transactions where subject_id = $1", [`s${run}`])).toEqual(
      [],
    );
    expect(await db.asOwner("select 1 from ledger_accounts where code like 'x:%'")).toEqual([]);
  });

  test("a balanced one is written, in each currency", async () => {
    expect(
      await post([
        ["y:a", "USD", 5],
        ["y:b", "USD", -5],
        ["y:a", "EUR", -7],
        ["y:b", "EUR", 7],
      ]),
    ).toEqual([{ outcome: "posted" }]);
  });

  test("nor by the owner past the door: one entry, two currencies, an unknown account or transaction", async () => {
    const { usd, eur, other, transaction } = await rawRows();
    const insert = (...entries: readonly (readonly [string, string, number, number])[]): Promise<unknown[]> =>
      db.asOwner(
        `insert into ledger_entries (account_id, account_version, transaction_id, amount_minor, balance_after_minor) values
       ${entries.map(([account, tx, version, amount]) => `(${account}, ${version}, ${tx}, ${amount}, ${amount})`).join(", ")}`,
      );
    const unbalanced = { code: "PL003" };
    await expect(insert([usd, transaction, 1, 5])).rejects.toMatchObject(unbalanced);
    await expect(insert([usd, transaction, 1, 5], [eur, transaction, 1, -5])).rejects.toMatchObject(
      unbalanced,
    );
    await expect(insert([usd, transaction, 1, 5], [other, transaction, 1, -4])).rejects.toMatchObject(
      unbalanced,
    );
    await expect(insert([usd, transaction, 1, 5], ["999999", transaction, 1, -5])).rejects.toMatchObject(
      unbalanced,
    );
    await expect(insert([usd, "999999", 1, 5], [other, "999999", 1, -5])).rejects.toMatchObject(unbalanced);
    // Unknown accounts have no currency: among themselves these two balance.
    await expect(insert(["999998", transaction, 1, 5], ["999999", transaction, 1, -5])).rejects.toMatchObject(
      unbalanced,
    );
    // One balanced transaction does not carry an unbalanced one in the same statement.
    const [second] = await db.asOwner(
      "insert into ledger_transactions (created_at, xid, kind, subject_type, subject_id, part) values (now(), 1, 'adjusted', 'adjustment', $1, '') returning transaction_id",
      [`second${run}`],
    );
    await expect(
      insert(
        [usd, transaction, 1, 5],
        [other, transaction, 1, -5],
        [usd, String(second?.["transaction_id"]), 2, 3],
      ),
    ).rejects.toMatchObject(unbalanced);
    await insert([usd, transaction, 1, 5], [other, transaction, 1, -5]);
  });

  test("and the service's role writes nothing past the door at all, balanced or not", async () => {
    const { usd, other, transaction } = await rawRows();
    for (const statement of [
      `insert into ledger_entries (account_id, account_version, transaction_id, amount_minor, balance_after_minor) values (${usd}, 1, ${transaction}, 5, 5), (${other}, 1, ${transaction}, -5, -5)`,
      "insert into ledger_transactions (created_at, xid, kind, subject_type, subject_id, part) values (now(), 1, 'adjusted', 'adjustment', 'mine', '')",
      "insert into ledger_accounts (kind, role, currency, code) values ('asset', 'other', 'USD', 'mine')",
    ])
      await expect(db.asService(statement)).rejects.toMatchObject(refused);
  });
});
