import { entryIdOf, type AccountRow, type EntryRow, type TrialBalanceRow } from "../ledger/ledger.ts";
import { formatAmount, toCurrencyCode } from "../money/money.ts";

const format = (amount_minor: bigint, currency: string): string =>
  formatAmount({ amount_minor, currency: toCurrencyCode(currency) });

/** A signed balance in its account's normal direction: what it holds, not which side it is on. */
const normal = (balance_minor: bigint, kind: string): bigint =>
  kind === "asset" || kind === "expense" ? balance_minor : -balance_minor;

export function entryView(row: EntryRow) {
  const isDebit = row.amount_minor > 0n;
  return {
    object: "ledger_entry" as const,
    entry_id: entryIdOf(row),
    transaction_id: String(row.transaction_id),
    transaction_kind: row.kind,
    subject_type: row.subject_type,
    subject_id: row.subject_id,
    part: row.part === "" ? null : row.part,
    account: row.code,
    account_id: row.owner_id,
    debit: isDebit ? format(row.amount_minor, row.currency) : null,
    credit: isDebit ? null : format(-row.amount_minor, row.currency),
    entry_type: isDebit ? "debit" : "credit",
    currency: row.currency,
    balance_after: format(normal(row.balance_after_minor, row.account_kind), row.currency),
    description: row.description,
    effective_at: row.effective_at,
    created_at: row.created_at,
  };
}

export function accountView(row: AccountRow) {
  return {
    object: "ledger_account" as const,
    account: row.code,
    account_id: row.owner_id,
    kind: row.kind,
    role: row.role,
    currency: row.currency,
    balance: format(normal(row.balance_minor, row.kind), row.currency),
    entry_count: String(row.version),
    created_at: row.created_at,
    updated_at: row.updated_at,
  };
}

export function balanceView(
  account: AccountRow,
  balance_minor: bigint,
  asOf: {
    readonly at: string | null;
    readonly basis: string;
    readonly booked_at: string | null;
    readonly is_final: boolean;
  },
) {
  return {
    object: "ledger_balance" as const,
    account: account.code,
    currency: account.currency,
    balance: format(normal(balance_minor, account.kind), account.currency),
    ...asOf,
  };
}

export function trialBalanceView(rows: readonly TrialBalanceRow[]) {
  return {
    object: "trial_balance" as const,
    is_balanced: rows.every((row) => row.debit_minor === row.credit_minor),
    currencies: rows.map((row) => ({
      currency: row.currency,
      debit: format(row.debit_minor, row.currency),
      credit: format(row.credit_minor, row.currency),
      difference: format(row.debit_minor - row.credit_minor, row.currency),
      account_count: String(row.account_count),
    })),
  };
}
