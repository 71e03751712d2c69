import { AppError } from "../errors.ts";
import type { Queryable, Transaction } from "../db/db.ts";
import { toCurrencyCode } from "../money/money.ts";
import { postAll, type TransactionDraft } from "./post.ts";
import { selectReversibleEntries, type Posting } from "./queries.ts";
import { describeTransaction, transactionKey, type TransactionName } from "./transaction-name.ts";

/**
 * Posts the opposite of a transaction, once: a second reversal gives `already_posted`.
 * Errors: `not_found` when no transaction has that name.
 */
export async function reverse(tx: Transaction, name: TransactionName, description: string): Promise<Posting> {
  const [posting] = await postAll(tx, await reversalsOf(tx, [name], description));
  if (posting === undefined) throw new Error(`reversing ${describeTransaction(name)} gave no outcome`);
  return posting;
}

/**
 * The opposites of transactions, to be posted with others in one call; each is about the same subject and has
 * the number of what it reverses as its part. Errors: `not_found` when no transaction has a name.
 */
export async function reversalsOf(
  tx: Queryable,
  names: readonly TransactionName[],
  description: string,
): Promise<TransactionDraft[]> {
  if (names.length === 0) return [];
  const rows = Map.groupBy(await selectReversibleEntries(tx, names), transactionKey);
  return names.map((name) => {
    const entries = rows.get(transactionKey(name)) ?? [];
    const [first] = entries;
    if (first === undefined)
      throw new AppError("not_found", `There is no ledger transaction ${describeTransaction(name)}.`, {
        param: "subject_id",
      });
    return {
      kind: "reversed",
      subject_type: name.subject_type,
      subject_id: name.subject_id,
      part: String(first.transaction_id),
      description,
      reverses_transaction_id: first.transaction_id,
      entries: entries.map(
        ({ code, account_kind, account_role, owner_id, floor_minor, currency, amount_minor }) => ({
          account: {
            code,
            kind: account_kind,
            role: account_role,
            owner_id,
            floor_minor,
            currency: toCurrencyCode(currency),
          },
          amount_minor: -amount_minor,
        }),
      ),
    };
  });
}
