import { AssertionError } from "node:assert";
import { numberArray, type Queryable } from "../db/db.ts";
import type { AccountRef } from "./chart.ts";
import { assertBalanced, batchParameters, postAll, type PlacedEntry, type TransactionDraft } from "./post.ts";
import { describeTransaction, transactionKey } from "./transaction-name.ts";
import { postOrderedBatch, type OrderedPosting, type Posting } from "./queries.ts";

/**
 * An account that bears a part of a shared amount. `max_minor`: at most so much; null: as its floor allows.
 */
export type Bearer = { readonly account: AccountRef; readonly max_minor: bigint | null };

/**
 * An amount (debit positive, credit negative) that accounts bear in this order, each as much of what is left
 * as its maximum and its floor allow. All are of one currency.
 */
export type SharedEntryDraft = {
  readonly shared_minor: bigint;
  readonly bearers: readonly [Bearer, ...Bearer[]];
};

export type OrderedTransactionDraft = TransactionDraft & { readonly shared: readonly SharedEntryDraft[] };

/** Plain, or with shared amounts. */
export type PostingDraft = TransactionDraft | OrderedTransactionDraft;

/**
 * Posts plain and ordered transactions in one call: two calls could lock accounts in another order than other
 * callers. A batch that is all plain goes through `postAll`, which is quicker.
 */
export async function postTogether(
  tx: Queryable,
  drafts: readonly PostingDraft[],
): Promise<readonly Posting[]> {
  return drafts.some(isOrdered) ? postAllOrdered(tx, drafts.map(asOrdered)) : postAll(tx, drafts);
}

const isOrdered = (draft: PostingDraft): draft is OrderedTransactionDraft => "shared" in draft;
const asOrdered = (draft: PostingDraft): OrderedTransactionDraft =>
  isOrdered(draft) ? draft : { ...draft, shared: [] };

/**
 * Posts transactions whose shared amounts are divided under the locks of their accounts, in one call. One
 * that its accounts cannot bear is `below_floor`, and its neighbours stand. Throws AssertionError for a draft
 * that does not balance, names an account twice beside a shared amount, or has the name of another one in
 * the batch.
 */
export async function postAllOrdered(
  tx: Queryable,
  drafts: readonly OrderedTransactionDraft[],
): Promise<readonly OrderedPosting[]> {
  if (drafts.length === 0) return [];
  drafts.forEach(assertPostable);
  if (new Set(drafts.map(transactionKey)).size < drafts.length)
    throw new AssertionError({ message: "two transactions of a batch have the same name" });
  const placed = drafts.flatMap(placeEntries);
  return postOrderedBatch(tx, [
    ...batchParameters(drafts, placed),
    numberArray(placed.map(({ share }) => share)),
    numberArray(placed.map(({ max_minor }) => max_minor)),
  ]);
}

type PlacedOrderedEntry = PlacedEntry & { readonly share: number | null; readonly max_minor: bigint | null };

function placeEntries({ entries, shared }: OrderedTransactionDraft, index: number): PlacedOrderedEntry[] {
  const transaction = index + 1;
  return [
    ...entries.map((entry) => ({ ...entry, transaction, share: null, max_minor: null })),
    ...shared.flatMap(({ shared_minor, bearers }, share) =>
      bearers.map((bearer) => ({ ...bearer, amount_minor: shared_minor, transaction, share: share + 1 })),
    ),
  ];
}

function assertPostable(draft: OrderedTransactionDraft): void {
  const totals = draft.shared.map(({ shared_minor, bearers: [{ account }] }) => ({
    account,
    amount_minor: shared_minor,
  }));
  assertBalanced({ ...draft, entries: [...draft.entries, ...totals] });
  if (draft.shared.length === 0) return;
  const accounts = [
    ...draft.entries.map(({ account }) => account),
    ...draft.shared.flatMap(({ bearers }) => bearers.map(({ account }) => account)),
  ];
  const names = new Set(accounts.map(({ code, currency }) => `${code} ${currency}`));
  if (names.size < accounts.length)
    throw new AssertionError({
      message: `${describeTransaction(draft)}: an account stands twice beside a shared amount`,
    });
  for (const { bearers } of draft.shared) {
    if (bearers.some(({ max_minor }) => max_minor !== null && max_minor < 0n))
      throw new AssertionError({
        message: `${describeTransaction(draft)}: an account may bear no negative amount`,
      });
    const currencies = new Set(bearers.map(({ account }) => account.currency));
    if (currencies.size > 1)
      throw new AssertionError({
        message: `${describeTransaction(draft)}: a shared amount in several currencies`,
      });
  }
}
