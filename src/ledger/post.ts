import { AssertionError } from "node:assert";
import { numberArray, textArray, wordArray, type Queryable, type Timestamp } from "../db/db.ts";
import type { AccountRef } from "./chart.ts";
import { postBatch, type Posting } from "./queries.ts";
import { describeTransaction, type TransactionName } from "./transaction-name.ts";

export type EntryDraft = {
  readonly account: AccountRef;
  /** Minor units: debit positive, credit negative, never 0. */
  readonly amount_minor: bigint;
};

export type TransactionDraft = TransactionName & {
  readonly entries: readonly EntryDraft[];
  readonly description?: string;
  /** When it happened, if that is not now. */
  readonly effective_at?: Timestamp;
  readonly reverses_transaction_id?: bigint;
};

/**
 * Posts a batch in one call inside the caller's transaction and gives each one's outcome, in order.
 * A transaction that is refused or was posted before leaves its neighbours standing.
 * Throws AssertionError for a draft that is empty, has a zero entry or does not balance per currency.
 */
export async function postAll(
  tx: Queryable,
  drafts: readonly TransactionDraft[],
): Promise<readonly Posting[]> {
  if (drafts.length === 0) return [];
  drafts.forEach(assertBalanced);
  const placed = drafts.flatMap(({ entries }, index) =>
    entries.map((entry) => ({ ...entry, transaction: index + 1 })),
  );
  return postBatch(tx, batchParameters(drafts, placed));
}

/** An entry with the position of its transaction in the batch, from 1. */
export type PlacedEntry = EntryDraft & { readonly transaction: number };

/**
 * The parameters of `ledger_post`: each account of the batch once, and entries that point at it by position.
 */
export function batchParameters(
  drafts: readonly TransactionDraft[],
  placed: readonly PlacedEntry[],
): string[] {
  const accounts = new Map<string, { position: number; account: AccountRef }>();
  const positions = placed.map(({ account }) => {
    const key = `${account.code} ${account.currency}`;
    let named = accounts.get(key);
    if (named === undefined) {
      named = { position: accounts.size + 1, account };
      accounts.set(key, named);
    }
    return named.position;
  });
  const refs = [...accounts.values()].map((named) => named.account);
  return [
    textArray(refs.map((account) => account.code)),
    wordArray(refs.map((account) => account.currency)),
    wordArray(refs.map((account) => account.kind)),
    wordArray(refs.map((account) => account.role)),
    textArray(refs.map((account) => account.owner_id)),
    numberArray(refs.map((account) => account.floor_minor)),
    wordArray(drafts.map((draft) => draft.kind)),
    wordArray(drafts.map((draft) => draft.subject_type)),
    textArray(drafts.map((draft) => draft.subject_id)),
    textArray(drafts.map((draft) => draft.part)),
    textArray(drafts.map((draft) => draft.effective_at ?? null)),
    textArray(drafts.map((draft) => draft.description ?? null)),
    numberArray(drafts.map((draft) => draft.reverses_transaction_id ?? null)),
    numberArray(placed.map(({ transaction }) => transaction)),
    numberArray(positions),
    numberArray(placed.map(({ amount_minor }) => amount_minor)),
  ];
}

/**
 * The rule of the database once more, where a bug can still be named: an entry is never 0, a transaction sums
 * to 0 per currency.
 */
export function assertBalanced(draft: TransactionDraft): void {
  const sums = new Map<string, bigint>();
  for (const { account, amount_minor } of draft.entries) {
    if (amount_minor === 0n)
      throw new AssertionError({
        message: `${describeTransaction(draft)}: an entry of ${account.code} is 0`,
      });
    sums.set(account.currency, (sums.get(account.currency) ?? 0n) + amount_minor);
  }
  if (sums.size === 0)
    throw new AssertionError({ message: `${describeTransaction(draft)}: a transaction without entries` });
  for (const [currency, sum] of sums) {
    if (sum !== 0n)
      throw new AssertionError({
        message: `${describeTransaction(draft)}: its ${currency} entries sum to ${sum}`,
      });
  }
}
