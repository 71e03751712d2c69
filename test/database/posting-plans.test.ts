import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { Database } from "../../src/db/db.ts";
import { chart, postAll } from "../../src/ledger/ledger.ts";
import { toCurrencyCode } from "../../src/money/money.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { adjustment } from "../support/ledger.ts";

const usd = toCurrencyCode("USD");
const accounts = 301;
const rounds = 20;

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterAll(() => db.drop());

// A first day, a restored backup and an upgraded server have tables without statistics until autovacuum comes
// round. A plan that a session keeps from then must read only the accounts that a posting names.
test("postings to tables without statistics look up each account by its key", async () => {
  const session = new Database({ url: db.service_url, application_name: "test", connections_max: 1 });
  for (let round = 0; round < rounds; round++) {
    await session.transaction((tx) =>
      postAll(
        tx,
        Array.from({ length: accounts - 1 }, (_, n) => ({
          ...adjustment(`${round}-${n}`),
          entries: [
            { account: chart.pspClearing("stripe", usd), amount_minor: 100n },
            { account: chart.sellerPending(`seller-${n}`, usd), amount_minor: -100n },
          ],
        })),
      ),
    );
  }
  // A session that ends reports what it read.
  await session.close();
  const keys = ["ledger_accounts_code_currency_key", "ledger_accounts_pkey"];
  await vi.waitFor(async () => {
    expect((await indexScans()).get(keys[0])).toBeGreaterThan(rounds * accounts);
  });
  expect([...(await indexScans()).keys()].toSorted()).toEqual(keys);
});

/** How often the ledger's accounts were looked up in each index that was used at all. */
async function indexScans(): Promise<Map<unknown, number>> {
  const rows = await db.asOwner(
    `select indexrelname, idx_scan::int
       from pg_stat_user_indexes
      where relname = 'ledger_accounts' and idx_scan > 0`,
  );
  return new Map(rows.map((row) => [row["indexrelname"], Number(row["idx_scan"])]));
}
