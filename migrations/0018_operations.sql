-- Up Migration

-- The kinds of operations, and how each is treated.
create table operation_kinds (
  kind text primary key check (kind ~ '^[a-z_]{1,32}$'),
  -- How many inquiries may fail to tell an outcome before a person is told: of a request that may not have
  -- arrived, and of one that the PSP has accepted.
  unknown_inquiries_max integer not null check (unknown_inquiries_max > 0),
  accepted_inquiries_max integer not null check (accepted_inquiries_max > 0),
  -- Whether a person may say that a failed one was made after all. Not if its failure has booked something.
  is_reopenable boolean not null default false
);

-- With the pauses between inquiries, 8 are about ten minutes and 30 about two hours.
insert into operation_kinds (kind, unknown_inquiries_max, accepted_inquiries_max, is_reopenable)
values ('capture', 8, 30, true), ('void', 8, 30, true);

create type operation_status as enum ('queued', 'executing', 'pending', 'unknown', 'succeeded', 'failed');

-- What is asked of a PSP beyond a charge, stored before the PSP is asked: captures of an authorisation, and
-- the void that gives up what is left of it, or a payment that waits for its buyer.
create table operations (
  operation_id text primary key check (length(operation_id) between 1 and 64),
  kind text not null references operation_kinds on delete restrict,
  -- Of the operations in one lane one is in flight at a time, in the order of their ids;
  -- a final one comes last.
  lane text not null check (length(lane) between 1 and 300),
  is_final boolean not null,
  psp text not null check (length(psp) between 1 and 64),
  -- Null: it is not about a charge.
  attempt_id text references payment_attempts on delete restrict,
  -- Null: every order of a page.
  payment_order_id text references payment_orders on delete restrict,
  -- The client's name of a capture, and what it asked for.
  capture_id client_id,
  request_fingerprint bytea check (length(request_fingerprint) = 32),
  amount_minor bigint check (amount_minor > 0),
  currency currency_code not null,
  -- Of a void: why.
  void_cause text check (void_cause in ('canceled', 'expired', 'declined')),
  status operation_status not null default 'queued',
  -- The idempotency key at the PSP. It changes only once the PSP is known to have done nothing under it.
  key_number integer not null default 1 check (key_number > 0),
  psp_key text not null generated always as (operation_id || '-' || key_number) stored,
  -- As of an attempt; `key_sent_at` is when this key was first used.
  epoch integer not null default 0 check (epoch >= 0),
  key_sent_at timestamptz,
  sent_at timestamptz,
  has_stored_failure boolean not null default false,
  psp_reference text check (length(psp_reference) between 1 and 255),
  inquiry_count integer not null default 0 check (inquiry_count >= 0),
  failure_class text check (length(failure_class) between 1 and 64),
  failure_code text check (length(failure_code) between 1 and 64),
  failure_message text check (length(failure_message) <= 500),
  -- A call about it may be under way until then.
  leased_until timestamptz,
  -- When to look at it next: a job that comes earlier was overtaken by another one.
  due_at timestamptz not null default now(),
  -- What a person saw at the PSP.
  resolved_as text check (resolved_as in ('succeeded', 'failed')),
  resolved_by text check (length(resolved_by) between 1 and 255),
  resolution_note text check (length(resolution_note) between 1 and 500),
  created_by text not null check (length(created_by) between 1 and 255),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint operations_resolution_check check (
    num_nulls(resolved_as, resolved_by, resolution_note) in (0, 3)
  ),
  -- Captures and voids are decided together with their attempt's charge,
  -- so only one of them may be in flight.
  constraint operations_charge_lane_check check (
    kind not in ('capture', 'void') or lane = 'attempt:' || attempt_id
  ),
  constraint operations_charge_check check (payment_order_id is null or attempt_id is not null),
  constraint operations_capture_check check (
    (kind = 'capture') = (capture_id is not null)
    and (kind <> 'capture' or (amount_minor is not null and payment_order_id is not null))
  ),
  constraint operations_void_check check ((kind = 'void') = (void_cause is not null))
);

create unique index operations_capture_index on operations (payment_order_id, capture_id);
create index operations_attempt_index on operations (attempt_id, operation_id);
-- Of two captures in flight, the total that a PSP reports would not tell which one was made.
create unique index operations_one_in_flight on operations (lane)
  where status in ('executing', 'pending', 'unknown');
create index operations_lane_index on operations (lane, is_final, operation_id)
  where status in ('queued', 'executing', 'pending', 'unknown');
create unique index operations_one_void on operations (attempt_id)
  where kind = 'void' and status <> 'failed';
create index operations_open_index on operations (updated_at)
  where status in ('queued', 'executing', 'pending', 'unknown');

-- The set-based steps of operations: functions for the reason in 0022_intake.

-- Locks operations, and before them the orders that they are about, in key order, and gives what calls
-- about them need. `is_blocked`: another one in the same lane is in flight or comes first.
create function operations_lock(p_operation_ids text[])
returns table (
  operation_id text, kind text, lane text, unknown_inquiries_max integer, accepted_inquiries_max integer,
  status operation_status, psp text, psp_key text, psp_reference text, key_number integer, epoch integer,
  inquiry_count integer, amount_minor bigint, currency text, is_final boolean, void_cause text,
  is_blocked boolean, is_leased boolean, is_due boolean, resolved_as text, resolved_by text,
  resolution_note text, payment_order_id text, captured_minor bigint, attempt_id text,
  attempt_status payment_attempt_status, attempt_amount_minor bigint, attempt_psp_reference text,
  page_token text
)
language plpgsql
set plan_cache_mode = force_generic_plan
set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off
as $$
begin
  perform from payment_orders o
    where o.payment_order_id in (
      select c.payment_order_id::text
        from operations m
        join payment_attempts a on a.attempt_id = m.attempt_id
        join payment_orders c on c.checkout_id = a.checkout_id
       where m.operation_id = any (p_operation_ids)
         and (m.payment_order_id is null or m.payment_order_id = c.payment_order_id)
    )
    order by o.payment_order_id for no key update;
  -- Without an order's lock nothing would keep the end of one operation of a lane
  -- from the look for the next one.
  perform pg_advisory_xact_lock(hashtextextended(l.lane, 0))
     from (select distinct m.lane from operations m
            where m.operation_id = any (p_operation_ids) and m.attempt_id is null order by m.lane) l;
  perform from operations m
    where m.operation_id = any (p_operation_ids)
    order by m.operation_id for no key update;
  return query
  select m.operation_id, m.kind, m.lane, k.unknown_inquiries_max, k.accepted_inquiries_max, m.status, m.psp,
         m.psp_key, m.psp_reference, m.key_number, m.epoch, m.inquiry_count,
         m.amount_minor, m.currency::text, m.is_final, m.void_cause,
         exists (select from operations u
                  where u.lane = m.lane and u.operation_id <> m.operation_id
                    and (u.status in ('executing', 'pending', 'unknown')
                         or u.status = 'queued'
                            and (u.is_final, u.operation_id) < (m.is_final, m.operation_id))),
         coalesce(m.leased_until > now(), false), m.due_at <= now(),
         m.resolved_as, m.resolved_by, m.resolution_note,
         m.payment_order_id, coalesce(o.captured_minor, 0), a.attempt_id, a.status,
         a.amount_minor, a.psp_reference, a.page_token
    from operations m
    join operation_kinds k on k.kind = m.kind
    left join payment_attempts a on a.attempt_id = m.attempt_id
    left join payment_orders o on o.payment_order_id = m.payment_order_id
   where m.operation_id = any (p_operation_ids)
   order by m.operation_id;
end
$$;

-- Writes what came of operations.
create function operations_write_outcomes(p_outcomes json) returns void
language plpgsql
set plan_cache_mode = force_generic_plan
set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off
as $$
begin
  update operations m
     set status = s.status, psp_reference = coalesce(s.psp_reference, m.psp_reference),
         key_number = m.key_number + s.is_new_key::integer,
         has_stored_failure = not s.is_new_key and (m.has_stored_failure or s.has_stored_failure),
         inquiry_count = m.inquiry_count + s.is_inquired::integer,
         failure_class = s.failure_class, failure_code = s.failure_code,
         failure_message = left(s.failure_message, 500),
         leased_until = null, updated_at = now(),
         -- A request under a new key has an outcome of its own, which the resolution is not about.
         resolved_as = case when not s.is_new_key then m.resolved_as end,
         resolved_by = case when not s.is_new_key then m.resolved_by end,
         resolution_note = case when not s.is_new_key then m.resolution_note end,
         -- A resolution waits for nothing.
         due_at = now() + case when m.resolved_as is null then coalesce(s.retry_delay_seconds, 0) else 0 end
                          * interval '1 second'
    from json_to_recordset(p_outcomes)
         as s (operation_id text, status operation_status, psp_reference text, is_new_key boolean,
               has_stored_failure boolean, is_inquired boolean, failure_class text, failure_code text,
               failure_message text, retry_delay_seconds double precision)
   where m.operation_id = s.operation_id;
end
$$;

grant select on operation_kinds to pacioli_service;
grant select, insert on operations to pacioli_service;
grant update (
  void_cause, status, key_number, epoch, key_sent_at, sent_at, has_stored_failure, psp_reference,
  inquiry_count, failure_class, failure_code, failure_message, leased_until, due_at, resolved_as, resolved_by,
  resolution_note, updated_at
) on operations to pacioli_service;
revoke execute on all functions in schema public from public;
grant execute on function
  operations_lock(text[]),
  operations_write_outcomes(json)
to pacioli_service;
