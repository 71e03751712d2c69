import type { Queryable } from "../db/db.ts";
import { selectClosedSlices, selectTail, type Slice } from "./closing-queries.ts";
import { faults_shown_max, type FaultRow } from "./fault-queries.ts";
import {
  checkSlice,
  countAccounts,
  countEntries,
  findChangedClosing,
  findOrphanedEntries,
  findUnbalancedCurrencies,
  findWrongBalances,
  selectEntryRange,
  type SliceCheckName,
} from "./verify-queries.ts";

/** One statement about the books, how many things it was checked on, and what broke it. */
export type Check = {
  readonly statement: string;
  readonly checked_count: bigint;
  readonly faults: readonly FaultRow[];
};

/** Gives a transaction that sees one moment; each call sees a moment of its own. `Database` is one. */
export type Snapshots = { snapshot<Result>(read: (db: Queryable) => Promise<Result>): Promise<Result> };

/** What a verification reads: everything after a closing, in slices from closing to closing, and the rest. */
export type VerifyScope = {
  /** 0: everything. */
  readonly from_closing_id: bigint;
  readonly closed_slices: readonly Slice[];
  /** Hears how far it is. */
  readonly onProgress?: (done: string) => void;
};

const statements: Readonly<Record<SliceCheckName, string>> = {
  sums: "every transaction sums to zero in each currency",
  times: "every entry takes effect when its transaction does",
  balances: "every running balance is the sum of the entries before it",
  floors: "no account was ever below its floor",
  reversals: "every reversal is the opposite of what it reverses",
  closing: "every closing has the state of each account that changed before it",
};

/** How many transactions' entries are compared with their transactions and accounts at a time. */
const orphan_range = 1_000_000n;

/** What a verification that starts from a closing has to read; 0: everything. */
export async function verifyScope(db: Queryable, from_closing_id = 0n): Promise<VerifyScope> {
  return { from_closing_id, closed_slices: await selectClosedSlices(db, from_closing_id) };
}

/** The closing with which a verification ends; 0: there is none. */
export const lastClosingOf = ({ from_closing_id, closed_slices }: VerifyScope): bigint =>
  closed_slices.at(-1)?.closing_id ?? from_closing_id;

/** Recomputes the whole ledger from its entries, on one connection. */
export async function verifyLedger(db: Queryable): Promise<readonly Check[]> {
  return verifyLedgerIn({ snapshot: (read) => read(db) }, await verifyScope(db));
}

/**
 * Recomputes the ledger from its entries, slice by slice: what lies between two closings cannot change,
 * so each slice has a snapshot of its own. Memory is taken by faults only.
 */
export async function verifyLedgerIn(snapshots: Snapshots, scope: VerifyScope): Promise<readonly Check[]> {
  const last_closing_id = lastClosingOf(scope);
  const checks: Check[] = [];
  for (const slice of scope.closed_slices) {
    checks.push(...(await snapshots.snapshot((db) => checkClosedSlice(db, slice))));
    scope.onProgress?.(`closing ${slice.closing_id} of ${last_closing_id}`);
  }
  // The closing that it starts from: what it says is taken as right.
  if (scope.from_closing_id > 0n)
    checks.push(await snapshots.snapshot((db) => checkDigest(db, scope.from_closing_id)));
  checks.push(...(await snapshots.snapshot((db) => checkTail(db, last_closing_id))));
  checks.push(await checkOwners(snapshots, scope));
  return mergeChecks(checks);
}

async function checkClosedSlice(db: Queryable, slice: Slice): Promise<Check[]> {
  const { closing_id, is_archived } = slice;
  const digest = closing_id === null ? [] : [await checkDigest(db, closing_id)];
  return is_archived ? digest : [...(await checksOf(db, slice)), ...digest];
}

async function checkTail(db: Queryable, last_closing_id: bigint): Promise<Check[]> {
  const tail = await selectTail(db, last_closing_id);
  const counts = await countAccounts(db);
  return [
    ...(await checksOf(db, tail)),
    {
      statement: "every stored balance is the sum of its entries",
      checked_count: counts.accounts,
      faults: await findWrongBalances(db, tail),
    },
    {
      statement: "debits equal credits in every currency",
      checked_count: counts.currencies,
      faults: await findUnbalancedCurrencies(db),
    },
  ];
}

async function checksOf(db: Queryable, slice: Slice): Promise<Check[]> {
  const checks = await checkSlice(db, slice);
  // What is not closed yet has no closing to compare.
  const applying = checks.filter(({ check_name }) => check_name !== "closing" || slice.closing_id !== null);
  return applying.map(({ check_name, checked_count, faults }) => ({
    statement: statements[check_name],
    checked_count,
    faults,
  }));
}

async function checkDigest(db: Queryable, closing_id: bigint): Promise<Check> {
  return {
    statement: "no closing was changed after it was made",
    checked_count: 1n,
    faults: await findChangedClosing(db, closing_id),
  };
}

/** Entries without a transaction are in no slice, so these are looked for by ranges of their numbers. */
async function checkOwners(
  snapshots: Snapshots,
  { closed_slices, from_closing_id }: VerifyScope,
): Promise<Check> {
  const range = await snapshots.snapshot(selectEntryRange);
  const firstOfScope = closed_slices.map((slice) => slice.first_transaction_id);
  const start = from_closing_id === 0n ? range.first : firstOfScope.reduce(smaller, range.last + 1n);
  let checked_count = 0n;
  const faults: FaultRow[] = [];
  for (let from = start; from <= range.last; from += orphan_range) {
    const found = await snapshots.snapshot(async (db) => ({
      count: await countEntries(db, from, from + orphan_range),
      faults: await findOrphanedEntries(db, from, from + orphan_range),
    }));
    checked_count += found.count;
    faults.push(...found.faults);
  }
  return { statement: "every entry has its account and its transaction", checked_count, faults };
}

const smaller = (one: bigint, other: bigint): bigint => (one < other ? one : other);

/** One check for each statement, in the order of their first ones. */
export function mergeChecks(checks: readonly Check[]): readonly Check[] {
  return [...Map.groupBy(checks, (check) => check.statement)].map(([statement, same]) => ({
    statement,
    checked_count: same.reduce((sum, check) => sum + check.checked_count, 0n),
    faults: same.flatMap((check) => check.faults).slice(0, faults_shown_max),
  }));
}
