import { numberArray, type Queryable, type Timestamp } from "../db/db.ts";
import type { SubjectType, TransactionKind } from "./transaction-name.ts";
import { entryColumns, type AccountName, type EntryRow } from "./queries.ts";

export type EntryFilter = AccountName & {
  readonly transaction_id?: bigint;
  /** What the transaction is about. */
  readonly subject?: { readonly type: SubjectType; readonly id: string };
  readonly kind?: TransactionKind;
  readonly currency?: string;
  readonly created_from?: Timestamp;
  readonly created_until?: Timestamp;
  /** The last entry shown. */
  readonly before?: Pick<EntryRow, "created_at" | "transaction_id" | "account_id" | "account_version">;
  readonly limit: number;
};

/** Newest first: by transaction, or for an account or owner alone by the time of writing. */
export async function selectEntries(db: Queryable, filter: EntryFilter): Promise<EntryRow[]> {
  const ids = await findTransactionIds(db, filter);
  if (ids !== null) return ids.length === 0 ? [] : selectEntriesOf(db, ids, filter);
  return filter.owner_id === undefined && filter.code === undefined
    ? selectNewestEntries(db, filter)
    : selectEntriesOfAccounts(db, filter);
}

/**
 * Looks the filter up first: one that matched nothing read all entries, half a second for a million. Null: no
 * such filter.
 */
async function findTransactionIds(
  db: Queryable,
  { transaction_id, subject, kind }: EntryFilter,
): Promise<bigint[] | null> {
  if (subject === undefined) return transaction_id === undefined ? null : [transaction_id];
  const rows = await db.query<{ transaction_id: bigint }>(
    `select transaction_id from ledger_transactions
      where subject_type = $1 and subject_id = $2
        and ($3::ledger_transaction_kind is null or kind = $3)
        and ($4::bigint is null or transaction_id = $4)`,
    [subject.type, subject.id, kind ?? null, transaction_id ?? null],
  );
  return rows.map((row) => row.transaction_id);
}

function selectEntriesOf(
  db: Queryable,
  transactionIds: readonly bigint[],
  filter: EntryFilter,
): Promise<EntryRow[]> {
  return db.query<EntryRow>(
    `select ${entryColumns}
       from ledger_entry_lines
      where transaction_id = any ($1::bigint[])
        and ($2::text is null or currency = $2)
        and ($3::timestamptz is null or created_at >= $3)
        and ($4::timestamptz is null or created_at < $4)
        and ($5::bigint is null
             or (transaction_id, account_id, account_version) < ($5, $6::bigint, $7::bigint))
        and ($8::text is null or owner_id = $8)
        and ($9::text is null or code = $9)
      order by transaction_id desc, account_id desc, account_version desc
      limit $10`,
    [
      numberArray(transactionIds),
      ...narrowing(filter),
      filter.owner_id ?? null,
      filter.code ?? null,
      filter.limit,
    ],
  );
}

/**
 * Walks the index of transactions from the end of the time range. Times have no index, so they are looked up
 * as ids.
 */
async function selectNewestEntries(db: Queryable, filter: EntryFilter): Promise<EntryRow[]> {
  const [ids] =
    filter.created_from === undefined && filter.created_until === undefined
      ? []
      : await db.query<{ first: bigint | null; last: bigint | null }>(
          `select ledger_first_transaction_since($1) as first,
                  ledger_first_transaction_since($2::timestamptz + interval '80 seconds') as last`,
          [filter.created_from ?? null, filter.created_until ?? null],
        );
  return db.query<EntryRow>(
    `select ${entryColumns}
       from ledger_newest_lines($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
    [...narrowing(filter), ids?.first ?? null, ids?.last ?? null, filter.limit],
  );
}

function narrowing({ currency, created_from, created_until, before }: EntryFilter): unknown[] {
  return [
    currency ?? null,
    created_from ?? null,
    created_until ?? null,
    before?.transaction_id ?? null,
    before?.account_id ?? null,
    before?.account_version ?? null,
  ];
}

/**
 * The newest entries over all accounts, read from each account by its own key. The times limit the account's
 * versions, which are found by halving.
 */
function selectEntriesOfAccounts(db: Queryable, filter: EntryFilter): Promise<EntryRow[]> {
  return db.query<EntryRow>(
    `with accounts as materialized (
       select a.account_id as of_account,
              case when $4::timestamptz is null then 1
                   else ledger_version_before(a.account_id, $4) + 1 end as first_version,
              least(
                case when $5::timestamptz is null then a.version
                     else ledger_version_before(a.account_id, $5) end,
                case when $6::timestamptz is null then a.version
                     when a.account_id = $7::bigint then $8::bigint - 1
                     -- Of entries of one time those of the higher account come first.
                     when a.account_id < $7::bigint
                     then ledger_version_before(a.account_id, $6 + interval '1 microsecond')
                     else ledger_version_before(a.account_id, $6) end
              ) as last_version
         from ledger_accounts a
        where ($1::text is null or a.owner_id = $1)
          and ($2::text is null or a.code = $2)
          and ($3::text is null or a.currency = $3)
          -- The condition of the index on the currency.
          and a.account_id > 0
     )
     select ${entryColumns}
       from accounts
       cross join lateral ledger_lines_of(of_account, first_version, last_version, true, $9) as l
      order by l.created_at desc, l.account_id desc, l.account_version desc
      limit $9`,
    [
      filter.owner_id ?? null,
      filter.code ?? null,
      filter.currency ?? null,
      filter.created_from ?? null,
      filter.created_until ?? null,
      filter.before?.created_at ?? null,
      filter.before?.account_id ?? null,
      filter.before?.account_version ?? null,
      filter.limit,
    ],
  );
}
