/** The door of the ledger room. */
import { GroupCommit, type Database } from "../db/db.ts";
import { postAll, type TransactionDraft } from "./post.ts";
import type { Posting } from "./queries.ts";

export { chart } from "./chart.ts";
export type { AccountKind, AccountRef, AccountRole } from "./chart.ts";
export { entryIdOf, entryKeyOf } from "./entry-id.ts";
export type { EntryKey } from "./entry-id.ts";
export { postAll } from "./post.ts";
export type { EntryDraft, TransactionDraft } from "./post.ts";
export { postAllOrdered, postTogether } from "./post-ordered.ts";
export type { Bearer, OrderedTransactionDraft, PostingDraft, SharedEntryDraft } from "./post-ordered.ts";
export { selectEntries } from "./entry-queries.ts";
export type { EntryFilter } from "./entry-queries.ts";
export {
  selectAccounts,
  selectBalance,
  selectEntry,
  selectStatement,
  selectTrialBalance,
} from "./queries.ts";
export type {
  AccountFilter,
  AccountRow,
  EntryRow,
  OrderedPosting,
  Posting,
  PostingOutcome,
  TrialBalanceRow,
} from "./queries.ts";
export { ensureTickAfter, selectBookedBalance, selectBookedVersions } from "./as-of-queries.ts";
export type { BalanceAsOf, BookedVersions } from "./as-of-queries.ts";
export { reversalsOf, reverse } from "./reverse.ts";
export { describeTransaction, subjectTypes, transactionKey, transactionKinds } from "./transaction-name.ts";
export type { SubjectType, TransactionKind, TransactionName } from "./transaction-name.ts";
export { closePeriod, isEffectiveFinal } from "./period-queries.ts";
export { detachPartitions, isBeforeDetached } from "./partition-queries.ts";
export { selectFaults } from "./fault-queries.ts";
export type { FaultRow } from "./fault-queries.ts";
export { isInSlice, selectTail, sliceParameters, slicedTransactions } from "./closing-queries.ts";
export type { Slice } from "./closing-queries.ts";
export { closeWhatIsDue, createCloser } from "./closing.ts";
export { lastClosingOf, mergeChecks, verifyLedger, verifyLedgerIn, verifyScope } from "./verify.ts";
export type { Check, Snapshots, VerifyScope } from "./verify.ts";
export { selectDebits } from "./verify-queries.ts";

/**
 * Posts single transactions for many callers at once, each answered for itself, sharing database
 * transactions.
 */
export type Ledger = { post(draft: TransactionDraft): Promise<Posting>; close(): Promise<void> };

/** A ledger over the given database; up to `batch_items_max` transactions share a commit. */
export function openLedger(database: Database, batch_items_max = 1_000): Ledger {
  const postings = new GroupCommit<TransactionDraft, Posting>({
    name: "ledger_post",
    database,
    batch_items_max,
    waiting_items_max: 100_000,
    // While one batch is written the next is made up and sent; a hot account lets them through one by one.
    flushes_at_once_max: 2,
    flush: postAll,
  });
  return { post: (draft) => postings.submit(draft), close: () => postings.close() };
}
