import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { Database } from "../../src/db/db.ts";
import { chart, postAll } from "../../src/ledger/ledger.ts";
import { toCurrencyCode } from "../../src/money/money.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";

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
          source: `order:${round}-${n}:captured`,
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
  await vi.waitFor(async () => {
    const [key] = await indexReads("indexrelname = 'ledger_accounts_code_currency_key'");
    expect(key?.scans).toBeGreaterThan(rounds * accounts);
  });
  expect(
    await indexReads("indexrelname <> 'ledger_accounts_code_currency_key' and idx_tup_read > idx_scan"),
  ).toEqual([]);
});

/** What was read through the indexes of the ledger's accounts. */
function indexReads(condition: string): Promise<{ index?: string; scans?: number; rows?: number }[]> {
  return db.asOwner(
    `select indexrelname as index, idx_scan::int as scans, idx_tup_read::int as rows
       from pg_stat_user_indexes
      where relname = 'ledger_accounts' and ${condition}`,
  );
}
