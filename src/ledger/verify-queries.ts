import type { Queryable } from "../db/db.ts";
import { selectFaults, type FaultRow } from "./fault-queries.ts";

export async function countLedger(
  db: Queryable,
): Promise<{ accounts: bigint; transactions: bigint; entries: bigint; currencies: bigint }> {
  const [row] = await db.query<{
    accounts: bigint;
    transactions: bigint;
    entries: bigint;
    currencies: bigint;
  }>(
    `select (select count(*) from ledger_accounts) as accounts,
            (select count(*) from ledger_transactions) as transactions,
            (select count(*) from ledger_entries) as entries,
            (select count(distinct currency) from ledger_accounts) as currencies`,
  );
  if (row === undefined) throw new Error("counting the ledger gave no row");
  return row;
}

/** Transactions whose entries do not sum to zero in some currency, or that have fewer than two entries. */
export function findUnbalancedTransactions(db: Queryable): Promise<FaultRow[]> {
  return selectFaults(
    db,
    `select 'transaction ' || t.transaction_id || ' (' || t.kind || ' of ' || t.subject_id || ')' as subject,
            case when sums.currency is null then 'has no entries'
                 else sums.entry_count || ' entries in ' || sums.currency
                   || ' sum to ' || sums.difference end as problem
       from ledger_transactions t
       left join (
         select e.transaction_id, a.currency, sum(e.amount_minor) as difference, count(*) as entry_count
           from ledger_entries e
           join ledger_accounts a on a.account_id = e.account_id
          group by e.transaction_id, a.currency
       ) sums on sums.transaction_id = t.transaction_id
      where sums.currency is null or sums.difference <> 0 or sums.entry_count < 2
      order by t.transaction_id`,
  );
}

/** Entries of accounts or transactions that do not exist. */
export function findOrphanedEntries(db: Queryable): Promise<FaultRow[]> {
  return selectFaults(
    db,
    `select 'entry ' || e.account_id || '/' || e.account_version as subject,
            case when a.account_id is null then 'its account does not exist'
                 else 'its transaction ' || e.transaction_id || ' does not exist' end as problem
       from ledger_entries e
       left join ledger_accounts a on a.account_id = e.account_id
       left join ledger_transactions t on t.transaction_id = e.transaction_id
      where a.account_id is null or t.transaction_id is null`,
  );
}

/** Entries whose version leaves a hole, or whose running balance is not the sum of the entries so far. */
export function findBrokenRunningBalances(db: Queryable): Promise<FaultRow[]> {
  return selectFaults(
    db,
    `select 'account ' || a.code || ' ' || a.currency || ', entry ' || r.account_version as subject,
            case when r.account_version <> r.expected_version
                 then 'version ' || r.expected_version || ' is missing'
                 else 'says balance ' || r.balance_after_minor
                   || ', its entries sum to ' || r.expected_balance end as problem
       from (
         select account_id, account_version, balance_after_minor,
                row_number() over running as expected_version,
                sum(amount_minor) over running as expected_balance
           from ledger_entries
         window running as (partition by account_id order by account_version)
       ) r
       join ledger_accounts a on a.account_id = r.account_id
      where r.account_version <> r.expected_version or r.balance_after_minor <> r.expected_balance
      order by r.account_id, r.account_version`,
  );
}

/** Accounts whose stored balance or version is not that of their entries. */
export function findWrongBalances(db: Queryable): Promise<FaultRow[]> {
  return selectFaults(
    db,
    `select 'account ' || a.code || ' ' || a.currency as subject,
            'stored balance ' || a.balance_minor || ' at version ' || a.version
              || ', its ' || coalesce(s.entry_count, 0)
              || ' entries sum to ' || coalesce(s.sum_minor, 0) as problem
       from ledger_accounts a
       left join (
         select account_id, sum(amount_minor) as sum_minor, count(*) as entry_count
           from ledger_entries group by account_id
       ) s on s.account_id = a.account_id
      where a.balance_minor <> coalesce(s.sum_minor, 0) or a.version <> coalesce(s.entry_count, 0)
      order by a.account_id`,
  );
}

/** Entries after which an account stood below its floor. */
export function findBrokenFloors(db: Queryable): Promise<FaultRow[]> {
  return selectFaults(
    db,
    `select 'account ' || a.code || ' ' || a.currency || ', entry ' || e.account_version as subject,
            'balance ' || e.balance_after_minor || ' is below the floor ' || a.floor_minor as problem
       from ledger_accounts a
       join ledger_entries e on e.account_id = a.account_id
      where a.floor_minor is not null
        and case when a.kind in ('asset', 'expense') then e.balance_after_minor
                 else -e.balance_after_minor end < a.floor_minor
      order by e.account_id, e.account_version`,
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
