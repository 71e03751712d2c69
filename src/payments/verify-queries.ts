import type { Queryable } from "../db/db.ts";

type Fault = { readonly subject: string; readonly problem: string };

/** Faults shown for one check. */
const faults_shown_max = 20;

type Counts = { orders: bigint; paid_orders: bigint; captures: bigint; transitions: bigint; checkouts: bigint; sellers: bigint };

export async function countPayments(db: Queryable): Promise<Counts> {
  const [row] = await db.query<Counts>(
    `select count(*) as orders,
            count(*) filter (where status = 'SUCCESS') as paid_orders,
            count(distinct (seller_account, currency)) filter (where status = 'SUCCESS') as sellers,
            (select count(*) from ledger_transactions where source like 'order:%:captured') as captures,
            (select count(*) from payment_order_transitions) as transitions,
            (select count(*) from payment_events) as checkouts
       from payment_orders`,
  );
  if (row === undefined) throw new Error("counting the payments gave no row");
  return row;
}

export function findOrdersWithoutCapture(db: Queryable): Promise<Fault[]> {
  return db.query<Fault>(
    `select 'order ' || o.payment_order_id as subject,
            case when t.transaction_id is null then 'is paid but not in the ledger'
                 else 'is of ' || o.amount_minor || ' ' || o.currency || ', the ledger debits ' || coalesce(d.debit_minor, 0) end as problem
       from payment_orders o
       left join ledger_transactions t on t.source = 'order:' || o.payment_order_id || ':captured'
       left join lateral (
         select sum(e.amount_minor) as debit_minor
           from ledger_entries e
           join ledger_accounts a on a.account_id = e.account_id
          where e.transaction_id = t.transaction_id and e.amount_minor > 0 and a.currency = o.currency
       ) d on true
      where o.status = 'SUCCESS' and d.debit_minor is distinct from o.amount_minor
      limit ${faults_shown_max}`,
  );
}

export function findCapturesWithoutOrder(db: Queryable): Promise<Fault[]> {
  return db.query<Fault>(
    `select 'transaction ' || t.transaction_id || ' (' || t.source || ')' as subject,
            coalesce('its order is ' || o.status, 'has no order') as problem
       from ledger_transactions t
       left join payment_orders o on o.payment_order_id = substr(t.source, 7, length(t.source) - 15)
      where t.source like 'order:%:captured' and o.status is distinct from 'SUCCESS'
      limit ${faults_shown_max}`,
  );
}

export function findOrdersWithoutAttempt(db: Queryable): Promise<Fault[]> {
  return db.query<Fault>(
    `select 'order ' || o.payment_order_id as subject,
            'is ' || o.status || ' with ' || count(a.attempt_id) || ' succeeded attempts' as problem
       from payment_orders o
       left join payment_attempts a
         on a.checkout_id = o.checkout_id and (a.payment_order_id is null or a.payment_order_id = o.payment_order_id) and a.status = 'succeeded'
      group by o.payment_order_id, o.status
     having count(a.attempt_id) <> (o.status = 'SUCCESS')::int
      limit ${faults_shown_max}`,
  );
}

export function findWrongHistories(db: Queryable): Promise<Fault[]> {
  return db.query<Fault>(
    `select 'order ' || coalesce(o.payment_order_id, h.payment_order_id) as subject,
            case when h.is_broken then 'its history has a gap'
                 else 'is ' || o.status || ', its history ends in ' || coalesce(h.last_status::text, 'nothing') end as problem
       from payment_orders o
       full join (
         select payment_order_id,
                bool_or(from_status is distinct from former_status or not is_allowed) as is_broken,
                (array_agg(to_status order by transition_number desc))[1] as last_status
           from (
             select payment_order_id, transition_number, from_status, to_status,
                    exists (select 1 from payment_order_allowed_transitions a
                             where a.from_status is not distinct from t.from_status and a.to_status = t.to_status) as is_allowed,
                    lag(to_status) over (partition by payment_order_id order by transition_number) as former_status
               from payment_order_transitions t
           ) steps
          group by payment_order_id
       ) h on h.payment_order_id = o.payment_order_id
      where h.is_broken or h.last_status is distinct from o.status
      limit ${faults_shown_max}`,
  );
}

export function findWrongDoneFlags(db: Queryable): Promise<Fault[]> {
  return db.query<Fault>(
    `select 'checkout ' || e.checkout_id as subject,
            'says ' || e.unfinished_order_count || ' unfinished orders, it has ' || count(*) filter (where o.status <> 'SUCCESS') as problem
       from payment_events e
       left join payment_orders o on o.checkout_id = e.checkout_id
      group by e.checkout_id, e.unfinished_order_count, e.is_payment_done
     having e.unfinished_order_count <> count(*) filter (where o.status <> 'SUCCESS')
         or e.is_payment_done <> (count(*) filter (where o.status <> 'SUCCESS') = 0)
      limit ${faults_shown_max}`,
  );
}

/** Credits to sellers and commission from captures against the gross of the paid orders, per seller and currency. */
export function findWrongWallets(db: Queryable): Promise<Fault[]> {
  return db.query<Fault>(
    `with earned as (
       select o.seller_account, o.currency, sum(o.amount_minor) as gross_minor
         from payment_orders o where o.status = 'SUCCESS' group by o.seller_account, o.currency
     ), booked as (
       select o.seller_account, o.currency, -sum(e.amount_minor) as credited_minor
         from payment_orders o
         join ledger_transactions t on t.source = 'order:' || o.payment_order_id || ':captured'
         join ledger_entries e on e.transaction_id = t.transaction_id
         join ledger_accounts a on a.account_id = e.account_id
        where o.status = 'SUCCESS' and e.amount_minor < 0
          and (a.owner_id = o.seller_account or a.code = 'platform:commission')
        group by o.seller_account, o.currency
     )
     select 'seller ' || earned.seller_account || ' ' || earned.currency as subject,
            'earned ' || earned.gross_minor || ', the ledger credits ' || coalesce(booked.credited_minor, 0) as problem
       from earned
       left join booked on booked.seller_account = earned.seller_account and booked.currency = earned.currency
      where booked.credited_minor is distinct from earned.gross_minor
      limit ${faults_shown_max}`,
  );
}
