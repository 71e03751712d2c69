import { AppError } from "../errors.ts";
import type { Queryable, Transaction } from "../db/db.ts";
import { toCurrencyCode } from "../money/money.ts";
import { postAll, type TransactionDraft } from "./post.ts";
import { selectReversibleEntries, type Posting } from "./queries.ts";

/**
 * Posts the opposite of a transaction, once: a second reversal gives `already_posted`.
 * Errors: `not_found` when nothing was posted from that source.
 */
export async function reverse(tx: Transaction, source: string, description: string): Promise<Posting> {
  const [posting] = await postAll(tx, await reversalsOf(tx, [source], description));
  if (posting === undefined) throw new Error(`reversing ${source} gave no outcome`);
  return posting;
}

/**
 * The opposites of transactions, to be posted with others in one call. Errors: `not_found` when nothing was
 * posted from a source.
 */
export async function reversalsOf(
  tx: Queryable,
  sources: readonly string[],
  description: string,
): Promise<TransactionDraft[]> {
  if (sources.length === 0) return [];
  const rows = Map.groupBy(await selectReversibleEntries(tx, sources), (row) => row.source);
  return sources.map((source) => {
    const entries = rows.get(source) ?? [];
    const [first] = entries;
    if (first === undefined)
      throw new AppError("not_found", `No transaction was posted with the source ${source}.`, {
        param: "source",
      });
    return {
      source: `reversal:${source}`,
      description,
      reverses_transaction_id: first.transaction_id,
      entries: entries.map(({ code, kind, owner_id, floor_minor, currency, amount_minor }) => ({
        account: { code, kind, owner_id, floor_minor, currency: toCurrencyCode(currency) },
        amount_minor: -amount_minor,
      })),
    };
  });
}
