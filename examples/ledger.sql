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
with posted as (
  select transaction_id from ledger_transactions where starts_with(source, 'order:' || :'order' || ':')
), of_order as (
  select transaction_id from posted
  union all
  select r.transaction_id
    from ledger_transactions r
    join posted p on r.reverses_transaction_id = p.transaction_id
)
select transaction_id, l.source, l.code,
       case when l.amount_minor > 0 then l.amount_minor end as debit,
       case when l.amount_minor < 0 then -l.amount_minor end as credit,
       l.currency, to_char(l.effective_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI') as effective_at
  from of_order
  join ledger_entry_lines l using (transaction_id)
 order by transaction_id, l.amount_minor desc, l.code;

\echo 3. The balance of an account as of a time.
\echo As effective: by when it happened. As recorded: by when it was written into the books.
select code, currency,
       ledger_balance_as_effective(account_id, :'at'::timestamptz) as effective_minor,
       ledger_balance_as_recorded(account_id, :'at'::timestamptz) as recorded_minor,
       balance_minor as now_minor
  from ledger_accounts
 where code = :'account'
 order by currency;

\echo 4. The statement of an account.
select l.account_version as entry, l.source,
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
with sources as (
  select payment_order_id,
         'order:' || payment_order_id || ':captured'
           || case when failed_capture_count > 0 then ':' || failed_capture_count + 1 else '' end as source
    from payment_orders
  union all
  select payment_order_id, 'order:' || payment_order_id || ':captured:' || operation_id
    from operations
   where kind = 'capture' and status = 'succeeded'
), booked as (
  select s.payment_order_id, sum(l.amount_minor) as booked_minor
    from sources s
    join ledger_transactions t on t.source = s.source
    join ledger_entry_lines l on l.transaction_id = t.transaction_id and l.code like 'psp:%:clearing'
   where not exists (select from ledger_transactions r where r.reverses_transaction_id = t.transaction_id)
   group by s.payment_order_id
)
select o.payment_order_id, o.status, o.currency, o.captured_minor, coalesce(b.booked_minor, 0) as booked_minor
  from payment_orders o
  left join booked b on b.payment_order_id = o.payment_order_id
 where o.captured_minor <> coalesce(b.booked_minor, 0)
 order by o.payment_order_id;
