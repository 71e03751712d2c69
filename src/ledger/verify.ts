import type { Queryable } from "../db/db.ts";
import type { FaultRow } from "./fault-queries.ts";
import {
  countLedger,
  findBrokenFloors,
  findBrokenRunningBalances,
  findOrphanedEntries,
  findUnbalancedCurrencies,
  findUnbalancedTransactions,
  findWrongBalances,
} from "./verify-queries.ts";

/** One statement about the books, how many things it was checked on, and what broke it. */
export type Check = {
  readonly statement: string;
  readonly checked_count: bigint;
  readonly faults: readonly FaultRow[];
};

/**
 * Recomputes the whole ledger from its entries. Reads only; run it inside one snapshot for a consistent
 * answer.
 */
export async function verifyLedger(db: Queryable): Promise<readonly Check[]> {
  const counts = await countLedger(db);
  return [
    {
      statement: "every transaction sums to zero in each currency",
      checked_count: counts.transactions,
      faults: await findUnbalancedTransactions(db),
    },
    {
      statement: "every entry has its account and its transaction",
      checked_count: counts.entries,
      faults: await findOrphanedEntries(db),
    },
    {
      statement: "every running balance is the sum of the entries before it",
      checked_count: counts.entries,
      faults: await findBrokenRunningBalances(db),
    },
    {
      statement: "every stored balance is the sum of its entries",
      checked_count: counts.accounts,
      faults: await findWrongBalances(db),
    },
    {
      statement: "no account was ever below its floor",
      checked_count: counts.entries,
      faults: await findBrokenFloors(db),
    },
    {
      statement: "debits equal credits in every currency",
      checked_count: counts.currencies,
      faults: await findUnbalancedCurrencies(db),
    },
  ];
}
