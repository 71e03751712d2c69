import { AppError } from "../errors.ts";
import type { Transaction } from "../db/db.ts";
import { toCurrencyCode } from "../money/money.ts";
import { postAll, type TransactionDraft } from "./post.ts";
import { selectReversibleEntries, selectTransaction, type Posting } from "./queries.ts";

/**
 * Posts the opposite of a transaction, once: a second reversal gives `already_posted`.
 * Errors: `not_found` when nothing was posted from that source.
 */
export async function reverse(tx: Transaction, source: string, description: string): Promise<Posting> {
  const original = await selectTransaction(tx, source);
  if (original === undefined) throw new AppError("not_found", `Nothing was posted from ${source}.`, { param: "source" });
  const entries = await selectReversibleEntries(tx, original.transaction_id);
  const draft: TransactionDraft = {
    source: `reversal:${source}`,
    description,
    reverses_transaction_id: original.transaction_id,
    entries: entries.map(({ amount_minor, ...account }) => ({
      account: { ...account, currency: toCurrencyCode(account.currency) },
      amount_minor: -amount_minor,
    })),
  };
  const [posting] = await postAll(tx, [draft]);
  if (posting === undefined) throw new Error(`reversing ${source} gave no outcome`);
  return posting;
}
