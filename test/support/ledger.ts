import {
  transactionKey,
  type AccountRef,
  type EntryDraft,
  type PostingOutcome,
  type TransactionDraft,
  type TransactionName,
} from "../../src/ledger/ledger.ts";
import { toCurrencyCode, type CurrencyCode } from "../../src/money/money.ts";

export const usd = toCurrencyCode("USD");
export const eur = toCurrencyCode("EUR");

/** An account; by default an asset in USD without a floor. */
export function account(code: string, changes: Partial<Omit<AccountRef, "code">> = {}): AccountRef {
  return { code, currency: usd, kind: "asset", role: "other", owner_id: null, floor_minor: null, ...changes };
}

/** A liability that may not fall below 0, such as a seller's money. */
export const purse = (code: string, currency: CurrencyCode = usd): AccountRef =>
  account(code, { kind: "liability", floor_minor: 0n, currency });

/** The name of an adjustment. */
export const adjustment = (subject_id: string): TransactionName => ({
  kind: "adjusted",
  subject_type: "adjustment",
  subject_id,
  part: "",
});

/** A transaction that debits one account and credits the other. */
export function transfer(
  subject_id: string,
  debit: AccountRef,
  credit: AccountRef,
  amount_minor: bigint,
): TransactionDraft {
  return {
    ...adjustment(subject_id),
    entries: [
      { account: debit, amount_minor },
      { account: credit, amount_minor: -amount_minor },
    ],
  };
}

type ModelAccount = { balance_minor: bigint; version: bigint };

/** What a ledger is, in a few lines and without a database: the oracle for the real one. */
export class LedgerModel {
  readonly accounts = new Map<string, ModelAccount>();
  readonly #posted = new Map<string, string>();

  /** Decides one transaction; a refused one changes nothing. */
  post(draft: TransactionDraft): PostingOutcome {
    const lines = linesOf(draft.entries);
    const before = this.#posted.get(transactionKey(draft));
    if (before !== undefined) return before === lines ? "already_posted" : "name_conflict";
    const changed = new Map<string, ModelAccount>();
    for (const { account: named, amount_minor } of draft.entries) {
      const key = accountKey(named);
      const { balance_minor, version } = changed.get(key) ??
        this.accounts.get(key) ?? { balance_minor: 0n, version: 0n };
      const after = { balance_minor: balance_minor + amount_minor, version: version + 1n };
      if (named.floor_minor !== null && normal(named, after.balance_minor) < named.floor_minor)
        return "below_floor";
      changed.set(key, after);
    }
    for (const [key, after] of changed) this.accounts.set(key, after);
    this.#posted.set(transactionKey(draft), lines);
    return "posted";
  }
}

export const accountKey = (named: { readonly code: string; readonly currency: string }): string =>
  `${named.code} ${named.currency}`;

const normal = (named: AccountRef, balance_minor: bigint): bigint =>
  named.kind === "asset" || named.kind === "expense" ? balance_minor : -balance_minor;

const linesOf = (entries: readonly EntryDraft[]): string =>
  entries
    .map((entry) => `${accountKey(entry.account)} ${entry.amount_minor}`)
    .toSorted()
    .join("\n");
