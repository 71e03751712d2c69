import { afterAll, beforeAll, expect } from "vitest";
import { postAll, selectBalance, verifyLedger } from "../../src/ledger/ledger.ts";
import type { Posting, TransactionDraft } from "../../src/ledger/ledger.ts";
import { createTestDatabase, type TestDatabase } from "./database.ts";
import { usd } from "./ledger.ts";

export type SharedLedger = {
  readonly db: TestDatabase;
  readonly post: (...drafts: TransactionDraft[]) => Promise<readonly Posting[]>;
  readonly balanceOf: (code: string, currency?: typeof usd) => Promise<bigint | undefined>;
};

/**
 * The ledger that the tests of one file share; its books are verified after the last one. A file calls it
 * once, outside its tests.
 */
export function shareLedger(): SharedLedger {
  let db: TestDatabase | undefined;
  const opened = (): TestDatabase => {
    if (db === undefined) throw new Error("the shared ledger is open only while tests run");
    return db;
  };
  beforeAll(async () => {
    db = await createTestDatabase();
  });
  afterAll(async () => {
    const faults = (await verifyLedger(opened().database)).flatMap((check) => check.faults);
    await opened().drop();
    expect(faults).toEqual([]);
  });
  return {
    get db() {
      return opened();
    },
    post: (...drafts) => opened().database.transaction((tx) => postAll(tx, drafts)),
    balanceOf: (code, currency = usd) => selectBalance(opened().database, { code, currency }),
  };
}

export const outcomesOf = (postings: readonly Posting[]): string[] =>
  postings.map((posting) => posting.outcome);
