import { textArray, type Queryable, type Timestamp } from "../db/db.ts";
import type { AccountKind, AccountRole } from "./chart.ts";
import type { TransactionName } from "./transaction-name.ts";

export type PostingOutcome =
  | "posted"
  | "already_posted"
  /** The name is in the ledger with other entries. */
  | "name_conflict"
  | "already_reversed"
  /** Some account would fall below its floor; nothing of this transaction was written. */
  | "below_floor";

export type Posting = { readonly outcome: PostingOutcome; readonly transaction_id: bigint | null };

/** The parameters of `ledger_post` in its order, as array literals. */
export function postBatch(tx: Queryable, parameters: readonly string[]): Promise<Posting[]> {
  return tx.query<Posting>(
    `select transaction_id, outcome
       from ledger_post($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`,
    parameters,
  );
}

/** As `postBatch`, with the two parameters that `ledger_post_ordered` adds. */
export async function postOrderedBatch(
  tx: Queryable,
  parameters: readonly string[],
): Promise<OrderedPosting[]> {
  const rows = await tx.query<Posting & { readonly shared_amounts: readonly string[] }>(
    `select transaction_id, outcome, shared_amounts::text[]
       from ledger_post_ordered(
              $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)`,
    parameters,
  );
  return rows.map((row) => ({ ...row, shared_amounts: row.shared_amounts.map(BigInt) }));
}

/** `shared_amounts`: what each account of the shared entries bore, in their order. */
export type OrderedPosting = Posting & { readonly shared_amounts: readonly bigint[] };

export type AccountRow = {
  readonly account_id: bigint;
  readonly code: string;
  readonly kind: AccountKind;
  readonly role: AccountRole;
  readonly currency: string;
  readonly owner_id: string | null;
  readonly balance_minor: bigint;
  readonly version: bigint;
  readonly floor_minor: bigint | null;
  readonly created_at: Timestamp;
  readonly updated_at: Timestamp;
};

/** By owner or by code, never one value with both, because an owner may be named like an account code. */
export type AccountName = { readonly owner_id?: string; readonly code?: string };

export type AccountFilter = AccountName & {
  readonly currency?: string;
  readonly before_account_id?: bigint;
  readonly limit: number;
};

/** Newest first. */
export function selectAccounts(db: Queryable, filter: AccountFilter): Promise<AccountRow[]> {
  return db.query<AccountRow>(
    `select account_id, code, kind, role, currency::text, owner_id, balance_minor, version, floor_minor,
            created_at, updated_at
       from ledger_accounts
      where ($1::text is null or owner_id = $1)
        and ($2::text is null or code = $2)
        and ($3::text is null or currency = $3)
        and ($4::bigint is null or account_id < $4)
        -- The condition of the index on the currency.
        and account_id > 0
      order by account_id desc
      limit $5`,
    [
      filter.owner_id ?? null,
      filter.code ?? null,
      filter.currency ?? null,
      filter.before_account_id ?? null,
      filter.limit,
    ],
  );
}

export type EntryRow = TransactionName & {
  readonly account_id: bigint;
  readonly account_version: bigint;
  readonly transaction_id: bigint;
  readonly amount_minor: bigint;
  readonly balance_after_minor: bigint;
  readonly code: string;
  readonly currency: string;
  readonly account_kind: AccountKind;
  readonly account_role: AccountRole;
  readonly owner_id: string | null;
  readonly description: string | null;
  readonly created_at: Timestamp;
  readonly effective_at: Timestamp;
};

export const entryColumns = `
  account_id, account_version, transaction_id, amount_minor, balance_after_minor, code, currency,
  account_kind, account_role, owner_id, kind, subject_type, subject_id, part, description, created_at,
  effective_at`;

export async function selectEntry(
  db: Queryable,
  accountId: bigint,
  accountVersion: bigint,
): Promise<EntryRow | undefined> {
  const [row] = await db.query<EntryRow>(
    `select ${entryColumns} from ledger_entry_lines where account_id = $1 and account_version = $2`,
    [accountId, accountVersion],
  );
  return row;
}

/** The account's entries by version, after one of them and up to another (null: up to the last). */
export function selectStatement(
  db: Queryable,
  account: { code: string; currency: string },
  { after_version, last_version = null }: { after_version: bigint; last_version?: bigint | null },
  limit: number,
): Promise<EntryRow[]> {
  return db.query<EntryRow>(
    `select ${entryColumns}
       from (select a.account_id as of_account, coalesce($4, a.version) as last_version
               from ledger_accounts a where a.code = $1 and a.currency = $2) named
       cross join lateral ledger_lines_of(of_account, $3::bigint + 1, last_version, false, $5) as l
      order by account_version`,
    [account.code, account.currency, after_version, last_version, limit],
  );
}

/**
 * The signed balance now (`at` null) or as of a time by when things happened; undefined: no such account. By
 * when they were booked: `selectBookedBalance`.
 */
export async function selectBalance(
  db: Queryable,
  account: { code: string; currency: string },
  at: Timestamp | null = null,
): Promise<bigint | undefined> {
  const [row] = await db.query<{ balance_minor: bigint }>(
    `select case when $3::timestamptz is null then a.balance_minor
                 else ledger_balance_as_effective(a.account_id, $3) end as balance_minor
       from ledger_accounts a
      where a.code = $1 and a.currency = $2`,
    [account.code, account.currency, at],
  );
  return row?.balance_minor;
}

export type TrialBalanceRow = {
  readonly currency: string;
  readonly debit_minor: bigint;
  readonly credit_minor: bigint;
  readonly account_count: bigint;
};

/** Debit and credit balances of all accounts per currency. */
export function selectTrialBalance(db: Queryable): Promise<TrialBalanceRow[]> {
  return db.query<TrialBalanceRow>(
    `select currency::text,
            coalesce(sum(balance_minor) filter (where balance_minor > 0), 0)::bigint as debit_minor,
            coalesce(-sum(balance_minor) filter (where balance_minor < 0), 0)::bigint as credit_minor,
            count(*) as account_count
       from ledger_accounts
      group by currency
      order by currency`,
  );
}

export type ReversibleEntryRow = TransactionName & {
  readonly transaction_id: bigint;
  readonly code: string;
  readonly currency: string;
  readonly account_kind: AccountKind;
  readonly account_role: AccountRole;
  readonly owner_id: string | null;
  readonly floor_minor: bigint | null;
  readonly amount_minor: bigint;
};

/** The entries of some transactions with their accounts. */
export function selectReversibleEntries(
  db: Queryable,
  names: readonly TransactionName[],
): Promise<ReversibleEntryRow[]> {
  return db.query<ReversibleEntryRow>(
    `select t.transaction_id, t.kind, t.subject_type, t.subject_id, t.part, a.code, a.currency::text,
            a.kind as account_kind, a.role as account_role, a.owner_id, a.floor_minor, e.amount_minor
       from unnest($1::ledger_transaction_kind[], $2::ledger_subject_type[], $3::text[], $4::text[])
            as n (kind, subject_type, subject_id, part)
       join ledger_transactions t
         on t.subject_type = n.subject_type and t.subject_id = n.subject_id and t.kind = n.kind
        and t.part = n.part
       join ledger_entries e on e.transaction_id = t.transaction_id
       join ledger_accounts a on a.account_id = e.account_id
      order by t.transaction_id, e.account_id, e.account_version`,
    [
      textArray(names.map(({ kind }) => kind)),
      textArray(names.map(({ subject_type }) => subject_type)),
      textArray(names.map(({ subject_id }) => subject_id)),
      textArray(names.map(({ part }) => part)),
    ],
  );
}
