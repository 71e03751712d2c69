import type { Queryable, Timestamp } from "../../db/db.ts";
import type { LetterKind } from "../../jobs/jobs.ts";
import type { AttemptStatus, OperationStatus, OrderStatus } from "../model/model.ts";
import { inFlight, openOperation } from "./queries.ts";

export type OverdueRow = {
  readonly payment_order_id: string;
  readonly status: OrderStatus;
  readonly seconds: number;
};

/** The states that end by themselves; PENDING ends by the buyer, a review or the page's end. */
const movingStates = "('NOT_STARTED', 'EXECUTING', 'UNKNOWN', 'RETRY_SCHEDULED', 'PENDING')";

/**
 * Records the orders that have been in their state for too long and were not yet reported in it, with an
 * event each. Locked until the commit. `externalSeconds`: how long each external account may take to report.
 * How long an order is in its state is real time, as its history is; the end of its page is business time.
 */
export function recordOverdue(
  tx: Queryable,
  overdueSeconds: number,
  externalSeconds: ReadonlyMap<string, number>,
  at: Date,
  limit: number,
): Promise<OverdueRow[]> {
  return tx.query<OverdueRow>(
    `with stuck as (
       select o.payment_order_id, o.checkout_id, o.status, t.transition_number,
              extract(epoch from now() - t.occurred_at)::float8 as seconds
         from payment_orders o
         cross join lateral (
           select transition_number, occurred_at, to_status from payment_order_transitions t
            where t.payment_order_id = o.payment_order_id order by transition_number desc limit 1
         ) t
        where o.status <> 'SUCCESS' and o.status in ${movingStates}
          and o.status_cause <> 'risk_review' and o.status = t.to_status
          and t.occurred_at < now() - $1 * interval '1 second'
          -- What waits for a time, its own, its page's or its collector's, is not overdue before that has
          -- passed as long ago.
          and coalesce(case o.status
                when 'RETRY_SCHEDULED' then o.next_retry_at
                when 'PENDING' then greatest(
                  -- Moved to real time by what the clocks differ.
                  (select max(a.page_expires_at) + (now() - $4::timestamptz) from payment_attempts a
                    where a.checkout_id = o.checkout_id and a.payment_order_id is null),
                  (select t.occurred_at
                          + (($3::jsonb ->> (e.external ->> 'psp'))::float8 - $1) * interval '1 second'
                     from payment_events e where e.checkout_id = o.checkout_id and e.external is not null))
              end, '-infinity') < now() - $1 * interval '1 second'
          and not exists (
            select from overdue_orders d
             where d.payment_order_id = o.payment_order_id and d.transition_number = t.transition_number
          )
        order by t.occurred_at
        limit $2
        -- An event's number is drawn under the lock of what it is about.
          for no key update of o skip locked
     ), told as (
       insert into overdue_orders (payment_order_id, transition_number)
       select payment_order_id, transition_number from stuck
       on conflict do nothing
       returning payment_order_id
     ), events as (
       insert into events (xid, type, subject_type, subject_id, checkout_id, data)
       select (select current_xid()), 'payment_order.overdue', 'payment_order', s.payment_order_id,
              s.checkout_id,
              jsonb_build_object(
                'status', s.status,
                'seconds', round(s.seconds::numeric))
         from stuck s join told using (payment_order_id)
     )
     select s.payment_order_id, s.status, s.seconds from stuck s join told using (payment_order_id)`,
    [overdueSeconds, limit, JSON.stringify(Object.fromEntries(externalSeconds)), at.toISOString()],
  );
}

export type UnresolvedRow = {
  readonly payment_order_id: string;
  readonly checkout_id: string;
  readonly status: OrderStatus;
  readonly status_cause: string;
  readonly status_since: Timestamp;
  readonly status_age_seconds: number;
  readonly psp: string | null;
  readonly attempt_id: string | null;
  readonly inquiry_count: number | null;
  /** The open operation. */
  readonly operation_id: string | null;
  readonly operation_kind: string | null;
  readonly operation_status: OperationStatus | null;
  readonly error_code: string | null;
  readonly error_message: string | null;
  readonly next_retry_at: Timestamp | null;
  readonly created_at: Timestamp;
  readonly attempt_status: AttemptStatus | null;
  /** The resolution of the open attempt, and when it takes effect. */
  readonly resolved_as: string | null;
  readonly resolution_due_at: Timestamp | null;
  /** A resolution of the attempt that waits for another key. */
  readonly approval_id: string | null;
  /** About the order or its capture or void. */
  readonly dead_letter_id: string | null;
  /** A discrepancy, of a page with any order of its checkout, comes before other letters. */
  readonly dead_letter_kind: LetterKind | null;
};

export type UnresolvedFilter = {
  /** The business time, at which an authorisation may have expired. */
  readonly at: Date;
  readonly seconds_min: number;
  /** The last one shown: only orders that were created after it. */
  readonly after?: { readonly created_at: Timestamp; readonly payment_order_id: string };
  readonly limit: number;
};

/**
 * Orders that are not final, or have a capture or void that is not, oldest first, each with its newest
 * attempt. Sorted by columns that never change: when it was sorted by the last change of state, an order
 * moved between pages and was listed again.
 */
export function selectUnresolved(db: Queryable, filter: UnresolvedFilter): Promise<UnresolvedRow[]> {
  return db.query<UnresolvedRow>(
    `with waiting as (
       select o.payment_order_id from payment_orders o
        where o.status <> 'SUCCESS' and o.status in ${movingStates}
       union
       select o.payment_order_id
         from operations m
         join payment_attempts a on a.attempt_id = m.attempt_id
         join payment_orders o
           on o.checkout_id = a.checkout_id
          and (m.payment_order_id is null or m.payment_order_id = o.payment_order_id)
        where m.status in ${openOperation}
       union
       -- Held beyond its time: nobody could give it up.
       select a.payment_order_id from payment_attempts a
        where a.status = 'authorized' and a.authorization_expires_at <= $5::timestamptz
          and a.payment_order_id is not null
     )
     select o.payment_order_id, o.checkout_id, o.status, o.status_cause, w.since as status_since,
            floor(extract(epoch from w.until - w.since))::int as status_age_seconds,
            a.psp, a.attempt_id, a.inquiry_count, m.operation_id, m.kind as operation_kind,
            m.status as operation_status, coalesce(m.failure_message, o.error_message) as error_message,
            o.error_code, o.next_retry_at, o.created_at, a.status as attempt_status, a.resolved_as,
            a.resolution_due_at, p.approval_id, d.dead_letter_id, d.kind as dead_letter_kind
       -- Sorted first, so that the rest is read for as many as the page takes,
       -- and not for all that an outage left.
       from (
         select o.* from waiting join payment_orders o on o.payment_order_id = waiting.payment_order_id
          where $3::timestamptz is null or (o.created_at, o.payment_order_id) > ($3, $4::text)
          order by o.created_at, o.payment_order_id
         offset 0
       ) o
       cross join lateral (
         select occurred_at from payment_order_transitions t
          where t.payment_order_id = o.payment_order_id order by transition_number desc limit 1
       ) t
       left join lateral (
         select attempt_id, payment_order_id, psp, status,
                inquiry_count, authorization_expires_at, resolved_as,
                case when status in ${inFlight}
                     then resolution_due_at end as resolution_due_at
           from payment_attempts a
          where a.checkout_id = o.checkout_id
            and (a.payment_order_id is null or a.payment_order_id = o.payment_order_id)
          order by a.created_at desc limit 1
       ) a on true
       left join lateral (
         select operation_id, kind, status, failure_message, created_at from operations m
          where m.attempt_id = a.attempt_id and m.status in ${openOperation}
          order by m.operation_id limit 1
       ) m on true
       left join approvals p
         on p.kind = 'attempt_resolution' and p.subject_id = a.attempt_id and p.state = 'open'
       left join lateral (
         select l.* from (
           select discrepancy_id as dead_letter_id, 'discrepancy' as kind
             from payments_discrepancy(
                    o.checkout_id,
                    case when a.attempt_id is null or a.payment_order_id is not null
                         then o.payment_order_id end) as discrepancy_id
            where discrepancy_id is not null and m.operation_id is null
           union all
           (select dead_letter_id, kind from dead_letters d
             where d.state = 'waiting'
               and d.queue =
                   case when m.operation_id is null then 'payment_execute' else 'operation_execute' end
               and d.subject_id = coalesce(m.operation_id, o.payment_order_id)
             limit 1)
         ) l order by l.kind <> 'discrepancy' limit 1
       ) d on true
       -- "until" is now, in the time that "since" is in: an authorisation ends in business time.
       cross join lateral (
         select case when o.status in ${movingStates} then t.occurred_at
                     else coalesce(m.created_at, a.authorization_expires_at) end as since,
                case when o.status in ${movingStates} or m.created_at is not null
                     then now() else $5::timestamptz end as until
       ) w
      where w.since <= w.until - $1 * interval '1 second'
      order by o.created_at, o.payment_order_id
      limit $2`,
    [
      filter.seconds_min,
      filter.limit,
      filter.after?.created_at ?? null,
      filter.after?.payment_order_id ?? null,
      filter.at.toISOString(),
    ],
  );
}
