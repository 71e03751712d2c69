import type { Queryable } from "../../db/db.ts";
import {
  isInSlice,
  selectFaults,
  sliceParameters,
  slicedTransactions,
  type FaultRow,
  type Slice,
} from "../../ledger/ledger.ts";
import { againOf } from "./verify-queries.ts";

/** How many captures a slice of the ledger has. */
export async function countCaptures(db: Queryable, slice: Slice): Promise<bigint> {
  const [row] = await db.query<{ count: bigint }>(
    `with ${slicedTransactions}
     select count(*) as count from transactions where kind = 'captured'`,
    sliceParameters(slice),
  );
  return row?.count ?? 0n;
}

/**
 * Captures that no order stands for, unless they were reversed because they failed after they were
 * booked.
 */
export function findCapturesWithoutOrder(db: Queryable, slice: Slice): Promise<FaultRow[]> {
  return selectFaults(
    db,
    `with ${slicedTransactions}
     select 'transaction ' || t.transaction_id || ' (captured of ' || t.subject_id || ')' as subject,
            coalesce('its capture is ' || m.status, 'its order is ' || o.status, 'has no order') as problem
       from transactions t
       left join payment_orders o on o.payment_order_id = t.subject_id
       left join operations m
         on m.operation_id = t.part and m.kind = 'capture' and m.payment_order_id = t.subject_id
      where t.kind = 'captured'
        and not exists (
          select from ledger_transactions r where r.reverses_transaction_id = t.transaction_id)
        and (t.subject_type <> 'order' or o.payment_order_id is null
             or case when m.operation_id is null then o.status <> 'SUCCESS' or t.part <> ${againOf}
                     else m.status <> 'succeeded' end)`,
    sliceParameters(slice),
  );
}

/** Money of sellers that came from anything but what may credit them. */
export function findUnknownCredits(db: Queryable, slice: Slice): Promise<FaultRow[]> {
  return selectFaults(
    db,
    `with ${slicedTransactions}
     select 'transaction ' || t.transaction_id || ' (' || t.kind || ' of ' || t.subject_id || ')' as subject,
            'credits ' || a.code || ' ' || a.currency || ' with ' || -e.amount_minor as problem
       from entries e
       join transactions t on t.transaction_id = e.transaction_id
       join ledger_accounts a on a.account_id = e.account_id
      where e.amount_minor < 0
        and a.role in ('seller_pending', 'seller_available', 'seller_reserved')
        and (not exists (
               select from ledger_seller_credits c where c.kind = t.kind and c.role = a.role)
             -- A transaction about an order pays nobody but its seller.
             or t.subject_type = 'order' and not exists (
               select from payment_orders o
                where o.payment_order_id = t.subject_id and o.seller_account = a.owner_id))`,
    sliceParameters(slice),
  );
}

/** The orders that a slice of the ledger is about, or of which something happened between its two ticks. */
export async function selectChangedOrders(db: Queryable, slice: Slice): Promise<string[]> {
  const rows = await db.query<{ order_id: string }>(
    `with ${slicedTransactions}
     select distinct c.order_id
       from (
         select subject_id as order_id from transactions where subject_type = 'order'
         union all
         select subject_id from events
          where ${isInSlice} and subject_type = 'payment_order'
            and event_number > $10::bigint and event_number <= $11::bigint
         union all
         select payment_order_id from payment_order_transitions
          where ${isInSlice} and transition_number > $10::bigint and transition_number <= $11::bigint
       ) c
      order by c.order_id`,
    [...sliceParameters(slice), slice.settled_event_number, slice.last_event_number],
  );
  return rows.map((row) => row.order_id);
}

/** The next orders after one, by their ids. */
export async function selectOrderIds(db: Queryable, after: string, limit: number): Promise<string[]> {
  const rows = await db.query<{ payment_order_id: string }>(
    `select payment_order_id::text as payment_order_id
       from payment_orders
      where payment_order_id > $1
      order by payment_orders.payment_order_id
      limit $2`,
    [after, limit],
  );
  return rows.map((row) => row.payment_order_id);
}

/** Those of the orders whose entries are all here: of others only closings tell what was booked. */
export async function selectBookedHere(db: Queryable, orders: readonly string[]): Promise<string[]> {
  const rows = await db.query<{ order_id: string }>(
    `select o.order_id
       from unnest($1::text[]) as o (order_id)
      where not exists (
        select from ledger_transactions t
          join ledger_entry_partitions p
            on p.detached_at is not null and p.from_transaction_id <= t.transaction_id
           and p.until_transaction_id > t.transaction_id
         where t.subject_type = 'order' and t.subject_id = o.order_id)`,
    [orders],
  );
  return rows.map((row) => row.order_id);
}

/** Histories of orders that do not exist. */
export function findGhostHistories(db: Queryable): Promise<FaultRow[]> {
  return selectFaults(
    db,
    `select 'order ' || t.payment_order_id as subject, 'does not exist and has a history' as problem
       from payment_order_transitions t
       left join payment_orders o on o.payment_order_id = t.payment_order_id
      where o.payment_order_id is null`,
  );
}

/** Messages that were applied to an attempt of another account than their sender's. */
export function findForgedMessages(db: Queryable): Promise<FaultRow[]> {
  return selectFaults(
    db,
    `select 'webhook ' || m.message_id as subject,
            'of ' || m.psp || ' was applied to an attempt of ' || a.psp as problem
       from webhook_inbox m
       join payment_attempts a on a.attempt_id = m.attempt_id
      where m.state = 'applied' and m.psp <> a.psp`,
  );
}
