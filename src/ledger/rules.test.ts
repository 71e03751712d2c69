import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";
import { account, purse, transfer } from "../../test/support/ledger.ts";
import { postAll } from "./ledger.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
  await db.database.transaction((tx) =>
    postAll(tx, [transfer("kept", account("cash"), purse("seller"), 10n)]),
  );
});
afterAll(() => db.drop());

const tables = ["ledger_entries", "ledger_transactions"];
const changes = [
  "update ledger_entries set amount_minor = amount_minor + 1",
  "update ledger_transactions set subject_id = 'other'",
  ...tables.flatMap((table) => [`delete from ${table}`, `truncate ${table} cascade`]),
];
const balances = "update ledger_accounts set balance_minor = balance_minor + 1";

test.each([
  ...changes,
  balances,
  "delete from ledger_accounts",
  "insert into ledger_entries values (1, 3, 1, 5, 5)",
  "insert into ledger_transactions (created_at, xid, kind, subject_type, subject_id, part) values (now(), 1, 'adjusted', 'adjustment', 'mine', '')",
  "insert into ledger_accounts (kind, role, currency, code) values ('asset', 'other', 'USD', 'mine')",
])("the service's role has no right to: %s", async (statement) => {
  await expect(db.asService(statement)).rejects.toMatchObject({ code: "42501" });
});

test.each([...changes, "delete from ledger_accounts", "truncate ledger_accounts cascade"])(
  "not even the owner may: %s",
  async (statement) => {
    await expect(db.asOwner(statement)).rejects.toMatchObject({ code: "PL002" });
  },
);

const entries = (...amounts: readonly bigint[]): string => {
  const rows = amounts.map(
    (amount, index) =>
      `((select account_id from ledger_accounts where code = 'cash'), ${index + 2}, (select transaction_id from ledger_transactions where subject_id = 'kept'), ${amount}, 0)`,
  );
  return `insert into ledger_entries (account_id, account_version, transaction_id, amount_minor, balance_after_minor) values ${rows.join()}`;
};

test.each([
  ["one-sided", entries(5n)],
  ["unbalanced", entries(5n, -4n)],
  ["in no account", "insert into ledger_entries values (999999, 1, 1, 5, 5), (999999, 2, 1, -5, 0)"],
  [
    "in no transaction",
    "insert into ledger_entries select account_id, v, 999999, a, 0 from ledger_accounts, (values (8, 5), (9, -5)) x (v, a) where code = 'cash'",
  ],
])("the database refuses entries that are %s, even from the owner", async (_what, statement) => {
  await expect(db.asOwner(statement)).rejects.toMatchObject({ code: "PL003" });
});

test("the database refuses a balance below the floor, even from the owner", async () => {
  await expect(
    db.asOwner("update ledger_accounts set balance_minor = 1 where code = 'seller'"),
  ).rejects.toMatchObject({ code: "23514" });
});
