/** What a transaction does; the same values as PostgreSQL's `ledger_transaction_kind`. */
export const transactionKinds = [
  "authorized",
  "captured",
  "released",
  "reversed",
  "refunded",
  "adjusted",
] as const;
export type TransactionKind = (typeof transactionKinds)[number];

/** What a transaction is about; the same values as PostgreSQL's `ledger_subject_type`. */
export const subjectTypes = ["order", "adjustment"] as const;
export type SubjectType = (typeof subjectTypes)[number];

/** Names a transaction for ever: what it does to which subject. The same name is never posted twice. */
export type TransactionName = {
  readonly kind: TransactionKind;
  readonly subject_type: SubjectType;
  readonly subject_id: string;
  /** Which of several transactions of this kind about this subject; empty: the only one. */
  readonly part: string;
};

/** For errors and logs. */
export function describeTransaction({ kind, subject_type, subject_id, part }: TransactionName): string {
  return `${kind} of ${subject_type} ${subject_id}${part === "" ? "" : ` (${part})`}`;
}

/** The same text for the same name only. */
export function transactionKey({ kind, subject_type, subject_id, part }: TransactionName): string {
  return JSON.stringify([subject_type, subject_id, kind, part]);
}
