/** SQL that changes the books past every door. */
export const idOf = (code: string, currency = "USD"): string =>
  `(select account_id from ledger_accounts where code = '${code}' and currency = '${currency}')`;

export const named = (kind: string, subject: string): string =>
  `kind = '${kind}' and subject_id = '${subject}'`;

export const transactionOf = (kind: string, subject: string): string =>
  `(select transaction_id from ledger_transactions where ${named(kind, subject)})`;

export const ann = "seller:ann:pending";

/** A transaction; `reverses`: an expression for the one that it reverses. */
export const forge = (kind: string, subject: string, reverses = "null"): string =>
  "insert into ledger_transactions " +
  "(created_at, xid, kind, subject_type, subject_id, part, reverses_transaction_id) " +
  `values (now(), current_xid(), '${kind}', '${kind === "adjusted" ? "adjustment" : "order"}', '${subject}', '', ${reverses})`;

/** An entry, and its account's balance with it. */
export const enter = (code: string, transaction: string, amount: number): string[] => [
  `insert into ledger_entries select account_id, version + 1, ${transaction}, ${amount}, balance_minor + ${amount} from ledger_accounts where account_id = ${idOf(code)}`,
  `update ledger_accounts set version = version + 1, balance_minor = balance_minor + ${amount} where account_id = ${idOf(code)}`,
];

export type Case = {
  readonly what: string;
  readonly statements: readonly string[];
  readonly found: readonly RegExp[];
};
