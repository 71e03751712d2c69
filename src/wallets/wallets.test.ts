import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";
import { account, purse, transfer, usd } from "../../test/support/ledger.ts";
import { chart, postAll } from "../ledger/ledger.ts";
import { findWallet } from "./wallets.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterAll(() => db.drop());

test("a wallet sums the seller accounts that the chart has, and no other account of the same owner", async () => {
  const cash = account("cash");
  const ofAnn = (code: string) => ({ ...purse(code), owner_id: "ann" });
  const { sellerAvailable, sellerPending, sellerReserved } = chart;
  await db.database.transaction((tx) =>
    postAll(tx, [
      transfer("1", cash, sellerPending("ann", usd), 1_000n),
      transfer("2", cash, sellerAvailable("ann", usd), 200n),
      transfer("3", cash, sellerReserved("ann", usd), 30n),
      transfer("4", chart.sellerDebt("ann", usd), cash, 4n),
      transfer("5", cash, ofAnn("seller:ann:in_payout"), 50_000n),
      transfer("6", cash, ofAnn("escrow:ann:pending"), 600_000n),
    ]),
  );
  expect((await findWallet(db.database, "ann"))?.balances).toEqual([
    {
      currency: "USD",
      pending: "10.00",
      available: "2.00",
      reserved: "0.30",
      in_payout: "0.00",
      debt: "0.04",
      total: "12.26",
    },
  ]);
});
