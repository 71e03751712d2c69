-- How a person asks the books. Every statement only reads, so the service's login may run it:
--
--   psql "$DATABASE_URL" -f examples/ledger.sql
--
-- Change the four variables first. Amounts are in minor units (cents of USD, yen of JPY); a debit is
-- positive, a credit negative. examples/ledger.txt is the output for the orders of
-- test/database/ledger-examples.test.ts.

\set seller 'seller_ann'
\set order 'order_2'
\set account 'seller:seller_ann:pending'
\set at '2026-03-01T12:00:00Z'

\echo 1. The accounts of a seller.
\echo They are liabilities: a negative balance is money that we owe the seller.
select code, currency, kind, balance_minor, version as entries, floor_minor
  from ledger_accounts
 where owner_id = :'seller'
 order by code, currency;

\echo 2. All transactions of an order with their entries, reversals included.
select l.transaction_id, l.kind, l.part, l.code,
       case when l.amount_minor > 0 then l.amount_minor end as debit,
       case when l.amount_minor < 0 then -l.amount_minor end as credit,
       l.currency, to_char(l.effective_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI') as effective_at
  from ledger_entry_lines l
 where l.subject_type = 'order' and l.subject_id = :'order'
 order by l.transaction_id, l.amount_minor desc, l.code;

\echo 3. The balance of an account as of a time.
\echo As effective: by when it happened.
\echo As booked: what the last snapshot before that time has, which is final.
select code, currency,
       ledger_balance_as_effective(account_id, :'at'::timestamptz) as effective_minor,
       ledger_balance_after(
         account_id, ledger_version_at_tick(account_id, ledger_tick_before(:'at'::timestamptz))
       ) as booked_minor,
       balance_minor as now_minor
  from ledger_accounts
 where code = :'account'
 order by currency;

\echo 4. The statement of an account.
select l.account_version as entry, l.kind, l.subject_id,
       case when l.amount_minor > 0 then l.amount_minor end as debit,
       case when l.amount_minor < 0 then -l.amount_minor end as credit,
       l.balance_after_minor, to_char(l.effective_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI') as effective_at
  from ledger_entry_lines l
 where l.account_id = (select account_id from ledger_accounts where code = :'account' and currency = 'USD')
 order by l.account_version;

\echo 5. The trial balance: in each currency, debits equal credits.
select currency,
       coalesce(sum(balance_minor) filter (where balance_minor > 0), 0) as debit_minor,
       coalesce(-sum(balance_minor) filter (where balance_minor < 0), 0) as credit_minor,
       sum(balance_minor) as difference_minor,
       count(*) as accounts
  from ledger_accounts
 group by currency
 order by currency;

\echo 6. Orders whose books differ: what an order says was captured, against what the ledger debits for it.
\echo No rows: they agree. pacioli verify checks this and much more.
with booked as (
  select l.subject_id, sum(l.amount_minor) as booked_minor
    from ledger_entry_lines l
   where l.subject_type = 'order' and l.kind in ('captured', 'reversed') and l.account_role = 'psp_clearing'
   group by l.subject_id
)
select o.payment_order_id, o.status, o.currency, o.captured_minor, coalesce(b.booked_minor, 0) as booked_minor
  from payment_orders o
  left join booked b on b.subject_id = o.payment_order_id
 where o.captured_minor <> coalesce(b.booked_minor, 0)
 order by o.payment_order_id;
