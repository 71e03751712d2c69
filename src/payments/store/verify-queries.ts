import type { Queryable } from "../../db/db.ts";
import { selectFaults, type FaultRow } from "../../ledger/ledger.ts";
import { openOperation } from "./queries.ts";

/** The part of transactions of an order whose captures failed before. */
export const againOf =
  "case when o.failed_capture_count > 0 then (o.failed_capture_count + 1)::text else '' end";
/** What was captured of orders, less what was reversed. */
const isCaptureOrReversal = "t.subject_type = 'order' and t.kind in ('captured', 'reversed')";

/** Ids of orders, which need not exist. */
export type OrderIds = readonly string[];

/** The attempts of the orders in $1, and those of their checkouts' pages. */
const theirAttempts = `(
       select p.* from payment_attempts p where p.payment_order_id = any($1::text[])
       union all
       select p.*
         from payment_attempts p
        where p.payment_order_id is null
          and p.checkout_id in (select checkout_id from payment_orders
            where payment_order_id = any($1::text[]))
     )`;

type Counts = {
  orders: bigint;
  paid_orders: bigint;
  transitions: bigint;
  checkouts: bigint;
  authorizations: bigint;
  operations: bigint;
  attempts: bigint;
  references: bigint;
};

export async function countPayments(db: Queryable, orders: OrderIds): Promise<Counts> {
  const [row] = await db.query<Counts>(
    `select count(*) as orders,
            count(*) filter (where captured_minor > 0) as paid_orders,
            count(*) filter (where capture_method = 'manual') as authorizations,
            count(distinct checkout_id) as checkouts,
            (select count(*) from operations where payment_order_id = any($1::text[])) as operations,
            (select count(*) from ${theirAttempts} p) as attempts,
            (select count(*) from ${theirAttempts} p
               join psp_references r on r.subject_id = p.attempt_id) as references,
            (select count(*) from payment_order_transitions
              where payment_order_id = any($1::text[])) as transitions
       from payment_orders
      where payment_order_id = any($1::text[])`,
    [orders],
  );
  if (row === undefined) throw new Error("counting the payments gave no row");
  return row;
}

export function findOrdersWithoutCapture(db: Queryable, orders: OrderIds): Promise<FaultRow[]> {
  return selectFaults(
    db,
    `with booked as (
       select t.subject_id, a.currency, sum(e.amount_minor) as debit_minor
         from ledger_transactions t
         join ledger_entries e on e.transaction_id = t.transaction_id
         join ledger_accounts a on a.account_id = e.account_id and a.role = 'psp_clearing'
        where ${isCaptureOrReversal} and t.subject_id = any($1::text[])
        group by t.subject_id, a.currency
     )
     select 'order ' || o.payment_order_id as subject,
            case when b.debit_minor is null then 'is paid but not in the ledger'
                 else 'has ' || o.captured_minor || ' ' || o.currency || ' captured, the ledger debits '
                   || b.debit_minor end as problem
       from payment_orders o
       left join booked b on b.subject_id = o.payment_order_id and b.currency = o.currency
      where o.payment_order_id = any($1::text[]) and o.captured_minor > 0
        and b.debit_minor is distinct from o.captured_minor`,
    [orders],
  );
}

/** What the ledger holds of each authorisation against what is left of it. */
export function findWrongAuthorizations(db: Queryable, orders: OrderIds): Promise<FaultRow[]> {
  return selectFaults(
    db,
    `with held as (
       select t.subject_id, sum(e.amount_minor) as held_minor
         from ledger_transactions t
         join ledger_entries e on e.transaction_id = t.transaction_id
         join ledger_accounts a on a.account_id = e.account_id and a.role = 'psp_authorized'
        where t.subject_type = 'order' and t.subject_id = any($1::text[])
        group by t.subject_id
     )
     select 'order ' || o.payment_order_id as subject,
            'is ' || o.status || ', ' || o.captured_minor || ' of ' || o.amount_minor
              || ' captured; the ledger holds ' || coalesce(h.held_minor, 0) as problem
       from payment_orders o
       left join held h on h.subject_id = o.payment_order_id
      where o.payment_order_id = any($1::text[]) and coalesce(h.held_minor, 0)
         <> case o.status when 'AUTHORIZED' then o.amount_minor - o.captured_minor else 0 end`,
    [orders],
  );
}

/** What an order says of its captures, decided and under way, against the captures themselves. */
export function findWrongCaptureSums(db: Queryable, orders: OrderIds): Promise<FaultRow[]> {
  return selectFaults(
    db,
    `select 'order ' || o.payment_order_id as subject,
            'says ' || o.captured_minor || ' captured and ' || o.capturing_minor
              || ' in flight, its captures '
              || coalesce(m.captured_minor, 0) || ' and ' || coalesce(m.capturing_minor, 0) as problem
       from payment_orders o
       left join (
         select payment_order_id, sum(amount_minor) filter (where status = 'succeeded') as captured_minor,
                sum(amount_minor) filter (where status in ${openOperation}) as capturing_minor
           from operations where kind = 'capture' and payment_order_id = any($1::text[])
             group by payment_order_id
       ) m on m.payment_order_id = o.payment_order_id
      where o.payment_order_id = any($1::text[])
        and (o.capturing_minor <> coalesce(m.capturing_minor, 0)
             or (m.payment_order_id is not null and o.captured_minor <> coalesce(m.captured_minor, 0)))`,
    [orders],
  );
}

export function findOrdersWithoutAttempt(db: Queryable, orders: OrderIds): Promise<FaultRow[]> {
  return selectFaults(
    db,
    `select 'order ' || o.payment_order_id as subject,
            'is ' || o.status || ' with '
              || count(*) filter (where a.status = 'succeeded') || ' succeeded and '
              || count(*) filter (where a.status = 'authorized') || ' authorised attempts' as problem
       from payment_orders o
       left join (
         select c.payment_order_id, p.status
           from payment_attempts p
           join payment_attempt_orders c on c.attempt_id = p.attempt_id
          where p.status in ('succeeded', 'authorized') and c.payment_order_id = any($1::text[])
       ) a on a.payment_order_id = o.payment_order_id
      where o.payment_order_id = any($1::text[])
      group by o.payment_order_id, o.status
     having count(*) filter (where a.status = 'succeeded') <> (o.status = 'SUCCESS')::int
         or count(*) filter (where a.status = 'authorized') <> (o.status = 'AUTHORIZED')::int`,
    [orders],
  );
}

/**
 * Finds webhooks that changed an attempt of another account than the sender's, and paid attempts for which no
 * PSP has named a charge: a forged status once made orders SUCCESS that nobody had charged.
 */
export function findForgedOutcomes(db: Queryable, orders: OrderIds): Promise<FaultRow[]> {
  return selectFaults(
    db,
    `select 'order ' || t.payment_order_id as subject,
            'was moved to ' || t.to_status || ' by ' || t.actor
              || ', and its attempt is of ' || a.psp as problem
       from payment_order_transitions t
       join payment_attempts a on a.attempt_id = t.attempt_id
      where t.payment_order_id = any($1::text[]) and t.actor like 'webhook:%'
        and t.actor <> 'webhook:' || a.psp
     union all
     select 'attempt ' || a.attempt_id, 'succeeded at ' || a.psp || ' without a reference of the charge there'
       from ${theirAttempts} a where a.status = 'succeeded' and a.psp_reference is null
     union all
     -- A collector's reference may be that of one transfer for several orders.
     select 'attempt ' || r.attempt_id,
            'was resolved with ' || r.resolution_reference || ', the charge of ' || a.attempt_id
       from ${theirAttempts} r
       join payment_attempts a on a.psp = r.psp and a.psp_reference = r.resolution_reference
        and a.attempt_id <> r.attempt_id and a.status in ('succeeded', 'authorized')
       join payment_events e on e.checkout_id = r.checkout_id and e.external is null
      where r.resolved_as in ('succeeded', 'authorized') and r.status in ('succeeded', 'authorized')`,
    [orders],
  );
}

/**
 * Finds attempts and operations whose reference belongs to another, or is not stored at all. Collectors'
 * references may be shared; an attempt goes by its own id until the PSP gives one; and where a PSP gives a
 * change no id, it goes by its charge's.
 */
export function findWrongReferences(db: Queryable, orders: OrderIds): Promise<FaultRow[]> {
  return selectFaults(
    db,
    `select 'attempt ' || a.attempt_id as subject,
            'goes by ' || a.psp_reference || ' at ' || a.psp || ', which is stored for '
              || coalesce(r.subject_id, 'nothing') as problem
       from ${theirAttempts} a
       join payment_events e on e.checkout_id = a.checkout_id and e.external is null
       left join psp_references r on r.psp = a.psp and r.reference = a.psp_reference
      where a.psp_reference <> a.attempt_id and r.subject_id is distinct from a.attempt_id
     union all
     select 'operation ' || m.operation_id,
            'goes by ' || m.psp_reference || ' at ' || m.psp || ', which is stored for '
              || coalesce(r.subject_id, 'nothing')
       from operations m
       left join psp_references r on r.psp = m.psp and r.reference = m.psp_reference
      where m.payment_order_id = any($1::text[]) and m.psp_reference is not null
        and r.subject_id is distinct from m.operation_id and r.subject_id is distinct from m.attempt_id`,
    [orders],
  );
}

export function findWrongHistories(db: Queryable, orders: OrderIds): Promise<FaultRow[]> {
  return selectFaults(
    db,
    `select 'order ' || o.payment_order_id as subject,
            case when h.is_broken then 'its history has a gap'
                 else 'is ' || o.status || ', its history ends in '
                   || coalesce(h.last_status::text, 'nothing') end as problem
       from payment_orders o
       left join (
         select payment_order_id,
                bool_or(from_status is distinct from former_status or not is_allowed) as is_broken,
                (array_agg(to_status order by transition_number desc))[1] as last_status
           from (
             select payment_order_id, transition_number, from_status, to_status,
                    exists (select 1 from payment_order_allowed_transitions a
                             where a.from_status is not distinct from t.from_status
                               and a.to_status = t.to_status) as is_allowed,
                    lag(to_status) over (
                      partition by payment_order_id order by transition_number) as former_status
               from payment_order_transitions t
              where t.payment_order_id = any($1::text[])
           ) steps
          group by payment_order_id
       ) h on h.payment_order_id = o.payment_order_id
      where o.payment_order_id = any($1::text[])
        and (h.is_broken or h.last_status is distinct from o.status)`,
    [orders],
  );
}

export function findWrongDoneFlags(db: Queryable, orders: OrderIds): Promise<FaultRow[]> {
  return selectFaults(
    db,
    `select 'checkout ' || e.checkout_id as subject,
            'says ' || e.unfinished_order_count || ' unfinished orders, it has '
              || count(*) filter (where o.status <> 'SUCCESS') as problem
       from payment_events e
       left join payment_orders o on o.checkout_id = e.checkout_id
      where e.checkout_id in (select checkout_id from payment_orders where payment_order_id = any($1::text[]))
      group by e.checkout_id, e.unfinished_order_count, e.is_payment_done
     having e.unfinished_order_count <> count(*) filter (where o.status <> 'SUCCESS')
         or e.is_payment_done <> (count(*) filter (where o.status <> 'SUCCESS') = 0)`,
    [orders],
  );
}

/** What each order's seller and the platform were credited with, against what was captured of it. */
export function findWrongEarnings(db: Queryable, orders: OrderIds): Promise<FaultRow[]> {
  return selectFaults(
    db,
    `with booked as (
       select o.payment_order_id, -sum(e.amount_minor) as credited_minor
         from payment_orders o
         join ledger_transactions t on t.subject_id = o.payment_order_id
         join ledger_entries e on e.transaction_id = t.transaction_id
         join ledger_accounts a on a.account_id = e.account_id and a.currency = o.currency
        where o.payment_order_id = any($1::text[]) and ${isCaptureOrReversal}
          and (a.owner_id = o.seller_account and a.role = 'seller_pending' or a.role = 'platform_commission')
        group by o.payment_order_id
     )
     select 'order ' || o.payment_order_id || ' of seller ' || o.seller_account
       || ' ' || o.currency as subject,
            'earned ' || o.captured_minor
              || ', the ledger credits ' || coalesce(b.credited_minor, 0) as problem
       from payment_orders o
       left join booked b on b.payment_order_id = o.payment_order_id
      where o.payment_order_id = any($1::text[]) and o.captured_minor <> coalesce(b.credited_minor, 0)`,
    [orders],
  );
}

/** Captures that were reversed although their order, or their operation, still counts them. */
export function findReversedSuccesses(db: Queryable, orders: OrderIds): Promise<FaultRow[]> {
  return selectFaults(
    db,
    `select 'order ' || o.payment_order_id as subject,
            'is ' || o.status || ', and transaction ' || r.transaction_id || ' reversed its capture '
              || t.transaction_id as problem
       from payment_orders o
       join ledger_transactions t
         on t.subject_type = 'order' and t.subject_id = o.payment_order_id and t.kind = 'captured'
       join ledger_transactions r on r.reverses_transaction_id = t.transaction_id
       left join operations m on m.operation_id = t.part
      where o.payment_order_id = any($1::text[]) and o.captured_minor > 0
        and case when m.operation_id is null then t.part = ${againOf} else m.status = 'succeeded' end`,
    [orders],
  );
}

/**
 * Paid orders for which no PSP gave an id of a charge. An external account's reference is not kept among
 * these: it stands on the attempt.
 */
export function findUnbackedSuccesses(db: Queryable, orders: OrderIds): Promise<FaultRow[]> {
  return selectFaults(
    db,
    `select 'order ' || o.payment_order_id as subject,
            'is ' || o.status || ', and no id of ' || a.psp || ' stands for its attempt ' || a.attempt_id
              as problem
       from payment_orders o
       join payment_attempt_orders c on c.payment_order_id = o.payment_order_id
       join payment_attempts a on a.attempt_id = c.attempt_id and a.status in ('succeeded', 'authorized')
       join payment_events e on e.checkout_id = o.checkout_id
      where o.payment_order_id = any($1::text[]) and o.captured_minor > 0
        and case when e.external is not null then a.psp_reference is null
                 else not exists (
                   select from psp_references r where r.psp = a.psp and r.subject_id = a.attempt_id) end`,
    [orders],
  );
}
