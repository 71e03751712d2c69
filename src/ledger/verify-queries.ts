import type { Queryable } from "../db/db.ts";
import { sliceParameters, slicedTransactions, type Slice } from "./closing-queries.ts";
import { faults_shown_max, selectFaults, type FaultRow } from "./fault-queries.ts";

/** What is checked of each slice; the statement about each is in verify.ts. */
export type SliceCheckName = "sums" | "times" | "balances" | "floors" | "reversals" | "closing";

export type SliceCheck = {
  readonly check_name: SliceCheckName;
  readonly checked_count: bigint;
  readonly faults: readonly FaultRow[];
};

/** Checks the transactions of a slice, their entries and its closing in one pass over them. */
export function checkSlice(db: Queryable, slice: Slice): Promise<SliceCheck[]> {
  return db.query<SliceCheck>(
    `with ${slicedTransactions}, running as (
       select e.account_id, e.account_version, e.balance_after_minor,
              o.version + row_number() over running as expected_version,
              o.balance_minor + sum(e.amount_minor) over running as expected_balance
         from entries e
         join touched o on o.account_id = e.account_id
       window running as (partition by e.account_id order by e.account_version rows unbounded preceding)
     ), ends as (
       select e.account_id, o.version + count(*) as version,
              o.balance_minor + sum(e.amount_minor) as balance_minor
         from entries e
         join touched o on o.account_id = e.account_id
        group by e.account_id, o.version, o.balance_minor
     ), faults as materialized (
       select 'sums' as check_name,
              'transaction ' || t.transaction_id || ' (' || t.kind || ' of ' || t.subject_id
                || ')' as subject,
              case when s.transaction_id is null then 'has no entries'
                   else s.entry_count || ' entries in ' || s.currency || ' sum to ' || s.difference
                   end as problem
         from transactions t
         left join (
           select e.transaction_id, a.currency, sum(e.amount_minor) as difference, count(*) as entry_count
             from entries e
             left join ledger_accounts a on a.account_id = e.account_id
            group by e.transaction_id, a.currency
         ) s on s.transaction_id = t.transaction_id
        where s.transaction_id is null or s.difference <> 0 or s.entry_count < 2
       union all
       select 'times', 'entry ' || e.account_id || '/' || e.account_version,
              'takes effect at another time than its transaction ' || e.transaction_id
         from entries e
        where e.is_moved
       union all
       select 'balances',
              'account ' || a.code || ' ' || a.currency || ', entry ' || r.account_version,
              case when r.account_version <> r.expected_version
                   then 'version ' || r.expected_version || ' is missing'
                   else 'says balance ' || r.balance_after_minor
                     || ', its entries sum to ' || r.expected_balance end
         from running r
         join ledger_accounts a on a.account_id = r.account_id
        where r.account_version <> r.expected_version or r.balance_after_minor <> r.expected_balance
       union all
       select 'floors', 'account ' || a.code || ' ' || a.currency || ', entry ' || e.account_version,
              'balance ' || e.balance_after_minor || ' is below the floor ' || a.floor_minor
         from entries e
         join ledger_accounts a on a.account_id = e.account_id
        where a.floor_minor is not null
          and case when a.kind in ('asset', 'expense') then e.balance_after_minor
                   else -e.balance_after_minor end < a.floor_minor
       union all
       select 'reversals', 'transaction ' || t.transaction_id || ' (' || t.kind
         || ' of ' || t.subject_id || ')',
              case when (t.kind = 'reversed') <> (t.reverses_transaction_id is not null)
                   then 'does not name what it reverses'
                   when exists (
                     select from ledger_transactions r
                      where r.transaction_id = t.reverses_transaction_id
                        and (r.kind = 'reversed' or r.subject_type <> t.subject_type
                             or r.subject_id <> t.subject_id))
                   then 'reverses a reversal, or what is about something else'
                   else 'is not the opposite of transaction ' || t.reverses_transaction_id end
         from transactions t
        where (t.kind = 'reversed') <> (t.reverses_transaction_id is not null)
           or exists (
                select from ledger_transactions r
                 where r.transaction_id = t.reverses_transaction_id
                   and (r.kind = 'reversed' or r.subject_type <> t.subject_type
                        or r.subject_id <> t.subject_id))
           or t.reverses_transaction_id is not null
              and not exists (
                select from ledger_entry_partitions p
                 where p.detached_at is not null and p.from_transaction_id <= t.reverses_transaction_id
                   and p.until_transaction_id > t.reverses_transaction_id)
              and exists (
                select from ledger_entries e
                 where e.transaction_id in (t.transaction_id, t.reverses_transaction_id)
                 group by e.account_id
                having sum(e.amount_minor) <> 0)
       union all
       select 'closing', 'closing ' || $10::bigint || ', account ' || coalesce(c.account_id, n.account_id),
              'says ' || coalesce('balance ' || c.balance_minor || ' at version ' || c.version, 'nothing')
                || ', the entries before it say '
                || coalesce('balance ' || n.balance_minor || ' at version ' || n.version, 'nothing')
         from ends n
         full join (
           select account_id, version, balance_minor from ledger_closing_balances
             where closing_id = $10::bigint
         ) c on c.account_id = n.account_id
        where $10::bigint is not null
          and (c.version is distinct from n.version or c.balance_minor is distinct from n.balance_minor)
       union all
       select 'closing', 'closing ' || c.closing_id,
              'says ' || c.transaction_count || ' transactions, there are ' || n.transaction_count
         from ledger_closings c
         cross join (select count(*) as transaction_count from transactions) n
        where c.closing_id = $10::bigint and c.transaction_count <> n.transaction_count
       union all
       select 'closing', 'closing ' || $10::bigint || ' in ' || coalesce(d.currency, n.currency),
              'says debits of ' || coalesce(d.debit_minor, 0) || ', there are ' || coalesce(n.debit_minor, 0)
         from (
           select a.currency, sum(e.amount_minor) as debit_minor
             from entries e
             join ledger_accounts a on a.account_id = e.account_id
            where e.amount_minor > 0
            group by a.currency
         ) n
         full join (
           select currency, debit_minor from ledger_closing_debits where closing_id = $10::bigint
         ) d on d.currency = n.currency
        where $10::bigint is not null and d.debit_minor is distinct from n.debit_minor
     )
     select c.check_name, c.checked_count, coalesce((
              select json_agg(json_build_object('subject', f.subject, 'problem', f.problem))
                from (select subject, problem from faults
                       where faults.check_name = c.check_name limit ${faults_shown_max}) f
            ), '[]') as faults
       from (
         select 'sums' as check_name, (select count(*) from transactions) as checked_count
         union all select 'times', (select count(*) from entries)
         union all select 'balances', (select count(*) from entries)
         union all select 'floors', (select count(*) from entries)
         union all select 'reversals', (select count(*) from transactions)
         union all select 'closing', (
           select count(*) from ledger_closing_balances where closing_id = $10::bigint)
       ) c`,
    [...sliceParameters(slice), slice.closing_id],
  );
}

/** Whether a closing's rows still are those of its digest. */
export function findChangedClosing(db: Queryable, closing_id: bigint): Promise<FaultRow[]> {
  return selectFaults(
    db,
    `select 'closing ' || c.closing_id as subject, 'its rows are not those of its digest' as problem
       from ledger_closings c
      where c.closing_id = $1::bigint
        and ledger_closing_digest(
              c.closing_id, c.tick, c.transaction_count, c.first_transaction_id, c.last_transaction_id
            ) <> c.digest`,
    [closing_id],
  );
}

/**
 * Entries that lack their account or transaction, of a range of transactions; the second one is not
 * in it.
 */
export function findOrphanedEntries(db: Queryable, from: bigint, until: bigint): Promise<FaultRow[]> {
  return selectFaults(
    db,
    `select 'entry ' || e.account_id || '/' || e.account_version as subject,
            case when a.account_id is null then 'its account does not exist'
                 else 'its transaction ' || e.transaction_id || ' does not exist' end as problem
       from ledger_entries e
       left join ledger_accounts a on a.account_id = e.account_id
       left join ledger_transactions t on t.transaction_id = e.transaction_id
      where e.transaction_id >= $1::bigint and e.transaction_id < $2::bigint
        and (a.account_id is null or t.transaction_id is null)`,
    [from, until],
  );
}

/** How many entries belong to a range of transactions. */
export async function countEntries(db: Queryable, from: bigint, until: bigint): Promise<bigint> {
  const [row] = await db.query<{ count: bigint }>(
    "select count(*) as count from ledger_entries where transaction_id >= $1 and transaction_id < $2",
    [from, until],
  );
  return row?.count ?? 0n;
}

/** The first and the last transaction that an entry says it belongs to. */
export async function selectEntryRange(db: Queryable): Promise<{ first: bigint; last: bigint }> {
  const [row] = await db.query<{ first: bigint; last: bigint }>(
    `select coalesce(min(transaction_id), 1) as first, coalesce(max(transaction_id), 0) as last
       from ledger_entries`,
  );
  return row ?? { first: 1n, last: 0n };
}

/**
 * Accounts whose stored balance or version is not that of the last closing and the entries since. `tail`:
 * what is not closed, in the same snapshot.
 */
export function findWrongBalances(db: Queryable, tail: Slice): Promise<FaultRow[]> {
  return selectFaults(
    db,
    `with ${slicedTransactions}, since as (
       select account_id, count(*) as entry_count, sum(amount_minor) as sum_minor
         from entries group by account_id
     )
     select 'account ' || a.code || ' ' || a.currency as subject,
            'stored balance ' || a.balance_minor || ' at version ' || a.version
              || ', its ' || x.version || ' entries sum to ' || x.balance_minor as problem
       from ledger_accounts a
       left join since s on s.account_id = a.account_id
       left join lateral (
         select version, balance_minor
           from ledger_closing_balances c
          where c.account_id = a.account_id and c.closing_id <= $1::bigint
          order by c.closing_id desc
          limit 1
       ) b on true
       cross join lateral (
         select coalesce(b.version, 0) + coalesce(s.entry_count, 0) as version,
                coalesce(b.balance_minor, 0) + coalesce(s.sum_minor, 0) as balance_minor
       ) x
      where a.balance_minor <> x.balance_minor or a.version <> x.version`,
    sliceParameters(tail),
  );
}

/** Currencies in which all entries together do not come to zero. */
export function findUnbalancedCurrencies(db: Queryable): Promise<FaultRow[]> {
  return selectFaults(
    db,
    `select 'currency ' || currency as subject,
            'all balances together come to ' || sum(balance_minor) as problem
       from ledger_accounts
      group by currency
     having sum(balance_minor) <> 0`,
  );
}

export async function countAccounts(db: Queryable): Promise<{ accounts: bigint; currencies: bigint }> {
  const [row] = await db.query<{ accounts: bigint; currencies: bigint }>(
    "select count(*) as accounts, count(distinct currency) as currencies from ledger_accounts",
  );
  if (row === undefined) throw new Error("counting the accounts gave no row");
  return row;
}

/** All debits so far by currency: of the closings up to one, and of the tail after it. */
export function selectDebits(
  db: Queryable,
  tail: Slice,
): Promise<{ currency: string; debit_minor: string }[]> {
  return db.query<{ currency: string; debit_minor: string }>(
    `with ${slicedTransactions}
     select currency::text as currency, sum(debit_minor)::text as debit_minor
       from (
         select currency, debit_minor
           from ledger_closing_debits
          where closing_id <= $1::bigint
         union all
         select a.currency, e.amount_minor
           from entries e
           join ledger_accounts a on a.account_id = e.account_id
          where e.amount_minor > 0
       ) d
      group by currency
      order by currency`,
    sliceParameters(tail),
  );
}
