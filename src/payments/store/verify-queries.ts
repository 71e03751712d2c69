import type { Queryable } from "../../db/db.ts";
import { selectFaults, type FaultRow } from "../../ledger/ledger.ts";
import { openOperation } from "./queries.ts";

/** The part of transactions of an order whose captures failed before. */
const againOf = "case when o.failed_capture_count > 0 then (o.failed_capture_count + 1)::text else '' end";
/** Captures that failed after they were booked are reversed. */
const isNotReversed =
  "not exists (select from ledger_transactions r where r.reverses_transaction_id = t.transaction_id)";

/** What was captured of orders, less what was reversed. */
const isCaptureOrReversal = "t.subject_type = 'order' and t.kind in ('captured', 'reversed')";

type Counts = {
  orders: bigint;
  paid_orders: bigint;
  captures: bigint;
  transitions: bigint;
  checkouts: bigint;
  sellers: bigint;
  authorizations: bigint;
  operations: bigint;
  attempts: bigint;
  references: bigint;
};

export async function countPayments(db: Queryable): Promise<Counts> {
  const [row] = await db.query<Counts>(
    `select count(*) as orders,
            count(*) filter (where captured_minor > 0) as paid_orders,
            count(distinct (seller_account, currency)) filter (where captured_minor > 0) as sellers,
            count(*) filter (where capture_method = 'manual') as authorizations,
            (select count(*) from operations) as operations,
            (select count(*) from payment_attempts) as attempts,
            (select count(*) from psp_references) as references,
            (select count(*) from ledger_transactions where kind = 'captured') as captures,
            (select count(*) from payment_order_transitions) as transitions,
            (select count(*) from payment_events) as checkouts
       from payment_orders`,
  );
  if (row === undefined) throw new Error("counting the payments gave no row");
  return row;
}

export function findOrdersWithoutCapture(db: Queryable): Promise<FaultRow[]> {
  return selectFaults(
    db,
    `with booked as (
       select t.subject_id, a.currency, sum(e.amount_minor) as debit_minor
         from ledger_transactions t
         join ledger_entries e on e.transaction_id = t.transaction_id
         join ledger_accounts a on a.account_id = e.account_id and a.role = 'psp_clearing'
        where ${isCaptureOrReversal}
        group by t.subject_id, a.currency
     )
     select 'order ' || o.payment_order_id as subject,
            case when coalesce(b.debit_minor, 0) = 0 then 'is paid but not in the ledger'
                 else 'has ' || o.captured_minor || ' ' || o.currency || ' captured, the ledger debits '
                   || b.debit_minor end as problem
       from payment_orders o
       left join booked b on b.subject_id = o.payment_order_id and b.currency = o.currency
      where o.captured_minor > 0 and b.debit_minor is distinct from o.captured_minor`,
  );
}

export function findCapturesWithoutOrder(db: Queryable): Promise<FaultRow[]> {
  return selectFaults(
    db,
    `select 'transaction ' || t.transaction_id || ' (captured of ' || t.subject_id || ')' as subject,
            coalesce('its capture is ' || m.status, 'its order is ' || o.status, 'has no order') as problem
       from ledger_transactions t
       left join payment_orders o on o.payment_order_id = t.subject_id
       left join operations m
         on m.operation_id = t.part and m.kind = 'capture' and m.payment_order_id = t.subject_id
      where t.kind = 'captured' and ${isNotReversed}
        and (t.subject_type <> 'order' or o.payment_order_id is null
             or case when m.operation_id is null then o.status <> 'SUCCESS' or t.part <> ${againOf}
                     else m.status <> 'succeeded' end)`,
  );
}

/** What the ledger holds of each authorisation against what is left of it. */
export function findWrongAuthorizations(db: Queryable): Promise<FaultRow[]> {
  return selectFaults(
    db,
    `with held as (
       select t.subject_id, sum(e.amount_minor) as held_minor
         from ledger_transactions t
         join ledger_entries e on e.transaction_id = t.transaction_id
         join ledger_accounts a on a.account_id = e.account_id and a.role = 'psp_authorized'
        where t.subject_type = 'order'
        group by t.subject_id
     )
     select 'order ' || o.payment_order_id as subject,
            'is ' || o.status || ', ' || o.captured_minor || ' of ' || o.amount_minor
              || ' captured; the ledger holds ' || coalesce(h.held_minor, 0) as problem
       from payment_orders o
       left join held h on h.subject_id = o.payment_order_id
      where coalesce(h.held_minor, 0)
         <> case o.status when 'AUTHORIZED' then o.amount_minor - o.captured_minor else 0 end`,
  );
}

/** What an order says of its captures, decided and under way, against the captures themselves. */
export function findWrongCaptureSums(db: Queryable): Promise<FaultRow[]> {
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
           from operations where kind = 'capture' group by payment_order_id
       ) m on m.payment_order_id = o.payment_order_id
      where o.capturing_minor <> coalesce(m.capturing_minor, 0)
         or (o.capture_method = 'manual' and o.captured_minor <> coalesce(m.captured_minor, 0))`,
  );
}

export function findOrdersWithoutAttempt(db: Queryable): Promise<FaultRow[]> {
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
          where p.status in ('succeeded', 'authorized')
       ) a on a.payment_order_id = o.payment_order_id
      group by o.payment_order_id, o.status
     having count(*) filter (where a.status = 'succeeded') <> (o.status = 'SUCCESS')::int
         or count(*) filter (where a.status = 'authorized') <> (o.status = 'AUTHORIZED')::int`,
  );
}

/**
 * Finds webhooks that changed an attempt of another account than the sender's, and paid attempts for which no
 * PSP has named a charge: a forged status once made orders SUCCESS that nobody had charged.
 */
export function findForgedOutcomes(db: Queryable): Promise<FaultRow[]> {
  return selectFaults(
    db,
    `select 'order ' || t.payment_order_id as subject,
            'was moved to ' || t.to_status || ' by ' || t.actor
              || ', and its attempt is of ' || a.psp as problem
       from payment_order_transitions t
       join payment_attempts a on a.attempt_id = t.attempt_id
      where t.actor like 'webhook:%' and t.actor <> 'webhook:' || a.psp
     union all
     select 'webhook ' || m.message_id, 'of ' || m.psp || ' was applied to an attempt of ' || a.psp
       from webhook_inbox m
       join payment_attempts a on a.attempt_id = m.attempt_id
      where m.state = 'applied' and m.psp <> a.psp
     union all
     select 'attempt ' || a.attempt_id, 'succeeded at ' || a.psp || ' without a reference of the charge there'
       from payment_attempts a where a.status = 'succeeded' and a.psp_reference is null
     union all
     -- A collector's reference may be that of one transfer for several orders.
     select 'attempt ' || r.attempt_id,
            'was resolved with ' || r.resolution_reference || ', the charge of ' || a.attempt_id
       from payment_attempts r
       join payment_attempts a on a.psp = r.psp and a.psp_reference = r.resolution_reference
        and a.attempt_id <> r.attempt_id and a.status in ('succeeded', 'authorized')
       join payment_events e on e.checkout_id = r.checkout_id and e.external is null
      where r.resolved_as in ('succeeded', 'authorized') and r.status in ('succeeded', 'authorized')`,
  );
}

/**
 * Finds attempts and operations whose reference belongs to another, or is not stored at all. Collectors'
 * references may be shared; an attempt goes by its own id until the PSP gives one; and where a PSP gives a
 * change no id, it goes by its charge's.
 */
export function findWrongReferences(db: Queryable): Promise<FaultRow[]> {
  return selectFaults(
    db,
    `select 'attempt ' || a.attempt_id as subject,
            'goes by ' || a.psp_reference || ' at ' || a.psp || ', which is stored for '
              || coalesce(r.subject_id, 'nothing') as problem
       from payment_attempts a
       join payment_events e on e.checkout_id = a.checkout_id and e.external is null
       left join psp_references r on r.psp = a.psp and r.reference = a.psp_reference
      where a.psp_reference <> a.attempt_id and r.subject_id is distinct from a.attempt_id
     union all
     select 'operation ' || m.operation_id,
            'goes by ' || m.psp_reference || ' at ' || m.psp || ', which is stored for '
              || coalesce(r.subject_id, 'nothing')
       from operations m
       left join psp_references r on r.psp = m.psp and r.reference = m.psp_reference
      where m.psp_reference is not null
        and r.subject_id is distinct from m.operation_id and r.subject_id is distinct from m.attempt_id`,
  );
}

export function findWrongHistories(db: Queryable): Promise<FaultRow[]> {
  return selectFaults(
    db,
    `select 'order ' || coalesce(o.payment_order_id, h.payment_order_id) as subject,
            case when h.is_broken then 'its history has a gap'
                 else 'is ' || o.status || ', its history ends in '
                   || coalesce(h.last_status::text, 'nothing') end as problem
       from payment_orders o
       full join (
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
           ) steps
          group by payment_order_id
       ) h on h.payment_order_id = o.payment_order_id
      where h.is_broken or h.last_status is distinct from o.status`,
  );
}

export function findWrongDoneFlags(db: Queryable): Promise<FaultRow[]> {
  return selectFaults(
    db,
    `select 'checkout ' || e.checkout_id as subject,
            'says ' || e.unfinished_order_count || ' unfinished orders, it has '
              || count(*) filter (where o.status <> 'SUCCESS') as problem
       from payment_events e
       left join payment_orders o on o.checkout_id = e.checkout_id
      group by e.checkout_id, e.unfinished_order_count, e.is_payment_done
     having e.unfinished_order_count <> count(*) filter (where o.status <> 'SUCCESS')
         or e.is_payment_done <> (count(*) filter (where o.status <> 'SUCCESS') = 0)`,
  );
}

/**
 * Credits to sellers and commission from captures against the gross of the paid orders, per seller and
 * currency.
 */
export function findWrongWallets(db: Queryable): Promise<FaultRow[]> {
  return selectFaults(
    db,
    `with earned as (
       select o.seller_account, o.currency, sum(o.captured_minor) as gross_minor
         from payment_orders o where o.captured_minor > 0 group by o.seller_account, o.currency
     ), booked as (
       select o.seller_account, o.currency, -sum(e.amount_minor) as credited_minor
         from ledger_transactions t
         join payment_orders o on o.payment_order_id = t.subject_id
         join ledger_entries e on e.transaction_id = t.transaction_id
         join ledger_accounts a on a.account_id = e.account_id
        where ${isCaptureOrReversal}
          and (a.owner_id = o.seller_account and a.role = 'seller_pending' or a.role = 'platform_commission')
        group by o.seller_account, o.currency
     )
     select 'seller ' || earned.seller_account || ' ' || earned.currency as subject,
            'earned ' || earned.gross_minor || ', the ledger credits '
              || coalesce(booked.credited_minor, 0) as problem
       from earned
       left join booked
         on booked.seller_account = earned.seller_account and booked.currency = earned.currency
      where booked.credited_minor is distinct from earned.gross_minor`,
  );
}
