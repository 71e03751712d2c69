import type { Queryable } from "../src/db/db.ts";
import { card_account, spare_account } from "./accounts.ts";
import { external_account } from "./plan.ts";
import { forged_event_prefix } from "./webhooks.ts";

/** Drops the databases of a run, on the server that belongs to such runs. */
export async function dropChaosDatabases(server: Queryable): Promise<void> {
  await server.query("drop database if exists pacioli with (force)");
  await server.query("drop database if exists pacioli_simulator with (force)");
}

/**
 * Makes the database refuse every change of an order and of its attempts. The id is from the plan, so it
 * needs no quoting.
 */
export async function poisonOrder(owner: Queryable, payment_order_id: string): Promise<void> {
  await owner.query(
    `create or replace function refuse_poisoned_order() returns trigger language plpgsql as $$
     begin
       raise exception 'payment order % is poisoned', new.payment_order_id using errcode = 'PL005';
     end
     $$`,
  );
  for (const table of ["payment_orders", "payment_attempts"]) {
    await owner.query(
      `create or replace trigger "poisoned ${payment_order_id}" before update on ${table} for each row
         when (new.payment_order_id = '${payment_order_id}') execute function refuse_poisoned_order()`,
    );
  }
}

export async function healOrder(owner: Queryable, payment_order_id: string): Promise<void> {
  for (const table of ["payment_orders", "payment_attempts"])
    await owner.query(`drop trigger if exists "poisoned ${payment_order_id}" on ${table}`);
}

export type Unsettled = { readonly what: string; readonly count: number; readonly example: string };

/**
 * What still moves: orders whose state is not their last, payments on which a buyer has acted (by order),
 * captures and voids, webhooks that are not applied.
 */
export function selectUnsettled(db: Queryable, acted: ReadonlyMap<string, string>): Promise<Unsettled[]> {
  return db.query<Unsettled>(
    `select status::text as what, count(*)::int as count, min(payment_order_id) as example
       from payment_orders
      where status in ('NOT_STARTED', 'EXECUTING', 'UNKNOWN', 'RETRY_SCHEDULED')
         -- A later attempt waits for its buyer anew.
         or (status = 'PENDING' and psp_token = $1::json ->> payment_order_id)
      group by status
     union all
     select 'operations ' || status, count(*)::int, min(operation_id)
       from operations where status not in ('succeeded', 'failed') group by status
     union all
     select 'webhooks ' || state, count(*)::int, min(psp_event_id)
       from webhook_inbox
      where state = 'received' or (state = 'unmatched' and psp = '${external_account}')
      group by state`,
    [JSON.stringify(Object.fromEntries(acted))],
  );
}

export type Outcome = {
  readonly payment_order_id: string;
  readonly checkout_id: string;
  readonly seller_account: string;
  readonly amount_minor: bigint;
  readonly currency: string;
  readonly status: string;
  readonly status_cause: string;
  readonly psp_token: string | null;
  readonly captured_minor: bigint;
  readonly capturing_minor: bigint;
  /** What its captures took, smallest first; empty of an order that was captured at once. */
  readonly captures: string;
  /** All attempts with their states, to help investigate a violation. */
  readonly attempts: string;
  /** Of the attempt that succeeded, or is authorised. */
  readonly paid_attempt_id: string | null;
  readonly has_open_case: boolean;
  /** How often the ledger booked it. */
  readonly capture_count: number;
  readonly seller_credit_minor: bigint;
  readonly commission_minor: bigint;
};

/** Every order with what the ledger says of it. */
export function selectOutcomes(db: Queryable): Promise<Outcome[]> {
  return db.query<Outcome>(
    `select o.payment_order_id, o.checkout_id, o.seller_account, o.amount_minor, o.currency::text as currency,
            o.status::text as status, o.status_cause, o.psp_token, o.captured_minor, o.capturing_minor,
            (select coalesce(string_agg(m.amount_minor::text, ' ' order by m.amount_minor), '')
               from operations m
              where m.payment_order_id = o.payment_order_id
                and m.kind = 'capture' and m.status = 'succeeded') as captures,
            a.attempts, a.paid_attempt_id,
            exists (select from dead_letters d
                     where d.state = 'waiting'
                       and o.payment_order_id in (d.subject_id, d.payload ->> 'payment_order_id'))
              as has_open_case,
            l.capture_count, l.seller_credit_minor, l.commission_minor
       from payment_orders o
       cross join lateral (
         select coalesce(string_agg(concat_ws(' ', attempt_id, status, failure_code), ', '
                                    order by attempt_number), 'none') as attempts,
                min(attempt_id) filter (where status in ('succeeded', 'authorized')) as paid_attempt_id
           from payment_attempts p
          where p.checkout_id = o.checkout_id
            and exists (select from payment_attempt_orders c
                         where c.attempt_id = p.attempt_id and c.payment_order_id = o.payment_order_id)
       ) a
       cross join lateral (
         select count(distinct t.transaction_id)::int as capture_count,
                coalesce(-sum(e.amount_minor) filter (where n.owner_id = o.seller_account), 0)::bigint
                  as seller_credit_minor,
                coalesce(-sum(e.amount_minor) filter (where n.role = 'platform_commission'), 0)::bigint
                  as commission_minor
           from ledger_transactions t
           join ledger_entries e on e.transaction_id = t.transaction_id
           join ledger_accounts n on n.account_id = e.account_id
          where t.subject_type = 'order' and t.subject_id = o.payment_order_id and t.kind = 'captured'
       ) l
      order by o.payment_order_id`,
  );
}

export type Rows = { readonly [table: string]: bigint };

/** How many rows there are of everything that a repetition could have added to. */
export async function countRows(db: Queryable): Promise<Rows> {
  const [row] = await db.query<Rows>(
    `select (select count(*) from payment_events) as checkouts,
            (select count(*) from payment_orders) as orders,
            (select count(*) from payment_attempts) as attempts,
            (select count(*) from operations) as operations,
            (select count(*) from payment_order_transitions) as transitions,
            (select count(*) from ledger_transactions) as ledger_transactions,
            (select count(*) from ledger_entries) as ledger_entries,
            (select count(*) from dead_letters) as dead_letters`,
  );
  return row ?? {};
}

export type Message = { readonly psp_event_id: string; readonly state: string };

/** Webhooks that were taken in although they are forged, twice, or that found nothing here. */
export function selectDubiousMessages(db: Queryable): Promise<Message[]> {
  return db.query<Message>(
    `select psp_event_id,
            case when count(*) > 1 then 'stored ' || count(*) || ' times' else min(state) end as state
       from webhook_inbox m
      -- The simulator tells everything to one account, which may not speak for a charge of another.
      where not exists (select from payment_attempts a
                         where a.attempt_id = m.attempt_id and a.psp = $1 and m.psp = $2)
      group by psp, psp_event_id
     having count(*) > 1
         or case when psp = '${external_account}' then min(state) <> case
                   when psp_event_id like '%forged%' then 'rejected'
                   -- Canceled before its attempt began: a person hears of what was collected for it.
                   when exists (select from payment_orders o where psp_event_id = 'msg_' || o.payment_order_id
                                   and o.status = 'CANCELED' and o.attempt_id is null) then 'rejected'
                   else 'applied' end
                 else min(state) not in ('applied', 'ignored')
                   or psp_event_id like '${forged_event_prefix}%' or psp <> 'stripe' end
      order by psp_event_id`,
    [spare_account, card_account],
  );
}

export async function countMessages(db: Queryable): Promise<bigint> {
  const [row] = await db.query<{ count: bigint }>("select count(*) as count from webhook_inbox");
  return row?.count ?? 0n;
}

/** Reasons of the open cases, with how many orders each. */
export function selectOpenCases(
  db: Queryable,
): Promise<{ readonly reason: string; readonly count: number }[]> {
  return db.query(
    `select regexp_replace(reason, '\\(.*?\\) ', '') as reason, count(*)::int as count
       from dead_letters where state = 'waiting' group by 1 order by 2 desc, 1`,
  );
}

export type StoredCapture = {
  readonly payment_order_id: string;
  readonly capture_id: string;
  readonly status: string;
  readonly failure_code: string | null;
  readonly has_open_case: boolean;
};

/** Every capture that was taken in. */
export function selectCaptures(db: Queryable): Promise<StoredCapture[]> {
  return db.query<StoredCapture>(
    `select m.payment_order_id, m.capture_id, m.status::text as status, m.failure_code,
            exists (select from dead_letters d
                     where d.subject_id = m.operation_id and d.state = 'waiting') as has_open_case
       from operations m where m.kind = 'capture'`,
  );
}
