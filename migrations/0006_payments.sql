-- Up Migration

create type payment_order_status as enum
  ('NOT_STARTED', 'EXECUTING', 'PENDING', 'UNKNOWN', 'RETRY_SCHEDULED', 'AUTHORIZED', 'SUCCESS', 'FAILED', 'CANCELED');
create type capture_method as enum ('automatic', 'manual');
create type risk_decision as enum ('pass', 'review', 'reject');

-- One checkout. Its id is the client's and is the idempotency key for ever.
create table payment_events (
  checkout_id client_id primary key,
  buyer_info jsonb not null,
  seller_info jsonb,
  -- How it is paid: with a card token, by the buyer on the PSP's page, or through an external account.
  credit_card_info jsonb,
  hosted_page jsonb,
  external jsonb,
  is_payment_done boolean not null default false,
  -- Orders that are not SUCCESS yet; at 0 the payment is done. Counted down by one update, so that
  -- two processes that record the last two outcomes at once cannot both miss the end.
  unfinished_order_count integer not null check (unfinished_order_count >= 0),
  request_fingerprint bytea not null check (length(request_fingerprint) = 32),
  risk_decision risk_decision not null,
  risk_reasons text[] not null default '{}',
  -- From then on, links to the buyer's status page no longer work.
  status_link_revoked_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint payment_events_done_check check (is_payment_done = (unfinished_order_count = 0)),
  constraint payment_events_way_to_pay_check check (num_nonnulls(credit_card_info, hosted_page, external) = 1)
);

create index payment_events_done_index on payment_events (is_payment_done, created_at);

create table payment_orders (
  payment_order_id client_id primary key,
  checkout_id text not null references payment_events on delete restrict,
  -- Its place in the checkout as the client sent it.
  position smallint not null,
  buyer_account client_id not null,
  seller_account client_id not null,
  amount_minor bigint not null check (amount_minor > 0),
  currency currency_code not null,
  -- Taken at once, or authorised first and taken by captures.
  capture_method capture_method not null default 'automatic',
  -- What was taken so far, and what captures that are under way ask for.
  captured_minor bigint not null default 0 check (captured_minor >= 0),
  capturing_minor bigint not null default 0 check (capturing_minor >= 0),
  -- How often its payment failed after it was booked; numbers the sources of later ledger transactions.
  failed_capture_count smallint not null default 0 check (failed_capture_count >= 0),
  status payment_order_status not null,
  -- Why it is in this state, who moved it there and with which attempt: copied into the history by the trigger below.
  status_cause text not null check (length(status_cause) between 1 and 64),
  status_actor text not null check (length(status_actor) between 1 and 255),
  attempt_id text check (length(attempt_id) between 1 and 64),
  -- Who asked for it: an API key.
  created_by text not null check (length(created_by) between 1 and 255),
  -- The card of a retry by hand, in place of the checkout's.
  card_token text check (length(card_token) between 1 and 255),
  psp_token text check (length(psp_token) between 1 and 255),
  psp_nonce text check (length(psp_nonce) between 1 and 255),
  wallet_updated boolean not null default false,
  ledger_updated boolean not null default false,
  retry_count integer not null default 0 check (retry_count >= 0),
  last_retry_at timestamptz,
  next_retry_at timestamptz,
  error_code text check (length(error_code) <= 64),
  error_message text check (length(error_message) <= 500),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint payment_orders_books_check check (
    ledger_updated = (captured_minor > 0) and wallet_updated = ledger_updated
    and case status when 'SUCCESS' then captured_minor > 0 when 'AUTHORIZED' then true else captured_minor = 0 end
    and (capture_method = 'manual' or captured_minor in (0, amount_minor))
  ),
  -- However many captures are asked for at once: never more than was authorised.
  constraint payment_orders_captured_check check (captured_minor + capturing_minor <= amount_minor)
) with (fillfactor = 70);

create index payment_orders_checkout_index on payment_orders (checkout_id);
create index payment_orders_status_index on payment_orders (status, created_at) where status <> 'SUCCESS';
create index payment_orders_created_index on payment_orders (created_at, payment_order_id);
create index payment_orders_seller_index on payment_orders (seller_account, created_at);
create index payment_orders_buyer_index on payment_orders (buyer_account, created_at);

-- The state machine: what is not here cannot happen.
create table payment_order_allowed_transitions (
  from_status payment_order_status,
  to_status payment_order_status not null,
  unique nulls not distinct (from_status, to_status)
);

insert into payment_order_allowed_transitions (from_status, to_status) values
  (null, 'NOT_STARTED'),
  (null, 'PENDING'),
  (null, 'CANCELED'),
  ('NOT_STARTED', 'EXECUTING'),
  ('NOT_STARTED', 'CANCELED'),
  ('EXECUTING', 'AUTHORIZED'),
  ('EXECUTING', 'SUCCESS'),
  ('EXECUTING', 'FAILED'),
  ('EXECUTING', 'PENDING'),
  ('EXECUTING', 'UNKNOWN'),
  ('EXECUTING', 'RETRY_SCHEDULED'),
  ('PENDING', 'EXECUTING'),
  ('PENDING', 'AUTHORIZED'),
  ('PENDING', 'SUCCESS'),
  ('PENDING', 'FAILED'),
  ('PENDING', 'UNKNOWN'),
  ('PENDING', 'RETRY_SCHEDULED'),
  ('PENDING', 'CANCELED'),
  ('UNKNOWN', 'AUTHORIZED'),
  ('UNKNOWN', 'SUCCESS'),
  ('UNKNOWN', 'FAILED'),
  ('UNKNOWN', 'PENDING'),
  ('UNKNOWN', 'RETRY_SCHEDULED'),
  ('UNKNOWN', 'CANCELED'),
  ('RETRY_SCHEDULED', 'EXECUTING'),
  ('RETRY_SCHEDULED', 'FAILED'),
  ('RETRY_SCHEDULED', 'CANCELED'),
  ('AUTHORIZED', 'SUCCESS'),
  ('AUTHORIZED', 'CANCELED'),
  -- Every capture failed after it was booked.
  ('SUCCESS', 'FAILED'),
  ('FAILED', 'EXECUTING');

create table payment_order_transitions (
  transition_number bigint primary key default nextval('event_numbers'),
  payment_order_id text not null,
  from_status payment_order_status,
  to_status payment_order_status not null,
  cause text not null,
  actor text not null,
  attempt_id text,
  occurred_at timestamptz not null default clock_timestamp()
);

create index payment_order_transitions_order_index on payment_order_transitions (payment_order_id, transition_number);

-- The event log: a change of an order's state is its event, so it is not written twice.
create view events as
select event_number, occurred_at, type, checkout_id as subject_id, data from checkout_events
union all
select transition_number, occurred_at,
       'payment_order.' || case to_status
         when 'NOT_STARTED' then 'created'
         when 'SUCCESS' then 'succeeded'
         else lower(to_status::text)
       end,
       payment_order_id, jsonb_build_object('cause', cause, 'attempt_id', attempt_id)
  from payment_order_transitions;

grant select on events to pacioli_service;

create trigger payment_order_transitions_append_only before update or delete or truncate on payment_order_transitions
  for each statement execute function refuse_history_change();

-- The history is written and checked in one statement: what the check refuses is rolled back with it.
-- Both run as the owner: the service's role may read the history, but only a change of state writes it.
-- An order that is stored in EXECUTING was accepted and handed to the executor in one commit: two steps.
create function payment_orders_after_insert() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
  v_refused record;
begin
  with written as (
    insert into payment_order_transitions (payment_order_id, from_status, to_status, cause, actor, attempt_id)
    select payment_order_id, null::payment_order_status,
           case status when 'EXECUTING' then 'NOT_STARTED' else status end,
           case status when 'EXECUTING' then 'accepted' else status_cause end,
           created_by, case status when 'EXECUTING' then null else attempt_id end
      from new_orders
    union all
    select payment_order_id, 'NOT_STARTED', status, status_cause, status_actor, attempt_id
      from new_orders
     where status = 'EXECUTING'
    returning payment_order_id, from_status, to_status
  )
  select w.* into v_refused
    from written w
   where not exists (
     select from payment_order_allowed_transitions a
      where a.from_status is not distinct from w.from_status and a.to_status = w.to_status
   )
   limit 1;
  if found then
    raise exception 'payment order % may not go from % to %',
      v_refused.payment_order_id, coalesce(v_refused.from_status::text, 'nothing'), v_refused.to_status
      using errcode = 'PL005';
  end if;
  return null;
end
$$;

create function payment_orders_after_update() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp
-- Nested loops would compare all with all: 40 ms for 200 orders. The statement that fires this may have hash
-- joins off, and the plan is kept from the first call, which is often of one order.
set enable_hashjoin = on set enable_nestloop = off
as $$
declare
  v_refused record;
begin
  with written as (
    insert into payment_order_transitions (payment_order_id, from_status, to_status, cause, actor, attempt_id)
    select n.payment_order_id, o.status, n.status, n.status_cause, n.status_actor, n.attempt_id
      from old_orders o
      join new_orders n on n.payment_order_id = o.payment_order_id
     where n.status <> o.status
    returning payment_order_id, from_status, to_status
  )
  select w.* into v_refused
    from written w
   where not exists (
     select from payment_order_allowed_transitions a
      where a.from_status = w.from_status and a.to_status = w.to_status
   )
   limit 1;
  if found then
    raise exception 'payment order % may not go from % to %',
      v_refused.payment_order_id, coalesce(v_refused.from_status::text, 'nothing'), v_refused.to_status
      using errcode = 'PL005';
  end if;
  return null;
end
$$;

create trigger payment_orders_inserted after insert on payment_orders
  referencing new table as new_orders
  for each statement execute function payment_orders_after_insert();
create trigger payment_orders_updated after update on payment_orders
  referencing old table as old_orders new table as new_orders
  for each statement execute function payment_orders_after_update();

-- One logical charge at one PSP; its key there is made before the call and kept for ever.
create type payment_attempt_status as enum
  ('executing', 'pending', 'unknown', 'authorized', 'succeeded', 'declined', 'not_sent', 'canceled');

create table payment_attempts (
  attempt_id text primary key check (length(attempt_id) between 1 and 64),
  checkout_id text not null references payment_events on delete restrict,
  -- Null: the attempt covers every order of the checkout.
  payment_order_id text references payment_orders on delete restrict,
  attempt_number integer not null check (attempt_number > 0),
  psp text not null check (length(psp) between 1 and 64),
  -- The idempotency key at the PSP: the attempt's own id, so it is unique and never changes.
  psp_key text not null generated always as (attempt_id) stored,
  psp_reference text check (length(psp_reference) between 1 and 255),
  amount_minor bigint not null check (amount_minor > 0),
  currency currency_code not null,
  status payment_attempt_status not null default 'executing',
  inquiry_count integer not null default 0 check (inquiry_count >= 0),
  -- Raised whenever a process takes the attempt up, because a late failure to send from an earlier one proves
  -- nothing.
  epoch integer not null default 1 check (epoch > 0),
  -- When it was last taken up by a process that may have sent a request under its key.
  sent_at timestamptz not null default now(),
  -- The PSP stores a server error under the key, so sending the request again tells nothing more.
  has_stored_failure boolean not null default false,
  -- How long the last call to the PSP took; null before its first answer.
  psp_call_ms real check (psp_call_ms >= 0),
  failure_class text check (length(failure_class) between 1 and 64),
  failure_code text check (length(failure_code) between 1 and 64),
  failure_message text check (length(failure_message) <= 500),
  -- The registration of a hosted page: the PSP's token of it, where it is, and until when it takes a card.
  page_token text check (length(page_token) between 1 and 255),
  page_url text check (length(page_url) between 1 and 2000),
  page_expires_at timestamptz,
  capture_method capture_method not null default 'automatic',
  -- Until when an authorisation may be captured; then it is given up.
  authorization_expires_at timestamptz,
  -- The PSP has said so while a capture was under way, whose own end is awaited first.
  authorization_ended_as text check (authorization_ended_as in ('canceled', 'expired')),
  -- The outcome that a person saw at the PSP, its reference there, and when it is recorded.
  resolved_as text check (resolved_as in ('succeeded', 'authorized', 'failed')),
  resolution_reference text check (length(resolution_reference) between 1 and 255),
  resolution_note text check (length(resolution_note) between 1 and 500),
  resolved_by text check (length(resolved_by) between 1 and 255),
  resolution_due_at timestamptz,
  -- What the buyer must do before the payment goes on, encrypted by the service, and when it expires.
  next_action text check (length(next_action) between 1 and 8000),
  next_action_expires_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint payment_attempts_resolution_check check (
    num_nulls(resolved_as, resolution_note, resolved_by, resolution_due_at) in (0, 4)
    and case resolved_as when 'failed' then true else (resolved_as is null) = (resolution_reference is null) end
  ),
  constraint payment_attempts_next_action_expiry_check check ((next_action is null) = (next_action_expires_at is null)),
  constraint payment_attempts_page_check check (page_token is null or (page_url is not null and payment_order_id is null))
);

-- While one attempt is open or has succeeded no other may start, whatever the code believes.
create unique index payment_attempts_one_live_per_order on payment_attempts (payment_order_id)
  where status in ('executing', 'pending', 'unknown', 'authorized', 'succeeded');
create unique index payment_attempts_one_live_per_checkout on payment_attempts (checkout_id)
  where payment_order_id is null and status in ('executing', 'pending', 'unknown', 'authorized', 'succeeded');
create index payment_attempts_page_index on payment_attempts (checkout_id) where payment_order_id is null;
create index payment_attempts_order_index on payment_attempts (payment_order_id, attempt_number);
-- For the sweep of attempts whose process died.
create index payment_attempts_executing_index on payment_attempts (updated_at) where status = 'executing';
-- No two attempts are resolved with the same charge at the PSP.
create unique index payment_attempts_one_resolution_per_reference on payment_attempts (psp, resolution_reference)
  where resolved_as in ('succeeded', 'authorized');
create index payment_attempts_resolution_index on payment_attempts (resolution_due_at)
  where resolved_as is not null and status in ('executing', 'pending', 'unknown');
create index payment_attempts_next_action_index on payment_attempts (next_action_expires_at) where next_action_expires_at is not null;
create index payment_attempts_authorized_index on payment_attempts (authorization_expires_at) where status = 'authorized';

-- The orders that an attempt charges. A page charges the orders of its checkout that were open when it began:
-- only these have a transition with its attempt.
create view payment_attempt_orders as
select a.attempt_id, o.payment_order_id
  from payment_attempts a
  join payment_orders o on o.payment_order_id = a.payment_order_id
union all
select a.attempt_id, o.payment_order_id
  from payment_attempts a
  join payment_orders o on o.checkout_id = a.checkout_id
 where a.payment_order_id is null
   and (o.attempt_id = a.attempt_id
        or exists (select from payment_order_transitions t where t.payment_order_id = o.payment_order_id and t.attempt_id = a.attempt_id));

grant select on payment_attempt_orders to pacioli_service;

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

-- What is asked of a PSP beyond a charge, stored before the PSP is asked: captures of an authorisation, and the
-- void that gives up what is left of it, or a payment that waits for its buyer.
create table operations (
  operation_id text primary key check (length(operation_id) between 1 and 64),
  kind text not null references operation_kinds on delete restrict,
  -- Of the operations in one lane one is in flight at a time, in the order of their ids, and a final one last.
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
  -- The idempotency key at the PSP: another one only after the PSP surely did nothing under the last.
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
  constraint operations_resolution_check check (num_nulls(resolved_as, resolved_by, resolution_note) in (0, 3)),
  -- Captures and voids are decided together with their attempt's charge, so only one of them may be in flight.
  constraint operations_charge_lane_check check (kind not in ('capture', 'void') or lane = 'attempt:' || attempt_id),
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
create unique index operations_one_in_flight on operations (lane) where status in ('executing', 'pending', 'unknown');
create index operations_lane_index on operations (lane, is_final, operation_id)
  where status in ('queued', 'executing', 'pending', 'unknown');
create unique index operations_one_void on operations (attempt_id)
  where kind = 'void' and status <> 'failed';
create index operations_open_index on operations (updated_at)
  where status in ('queued', 'executing', 'pending', 'unknown');

-- Every id that a PSP gave, and the attempt or operation that it belongs to: of one account no id stands for two.
-- `type`: what the id is of, in the PSP's own word.
create table psp_references (
  psp text not null check (length(psp) between 1 and 64),
  reference text not null check (length(reference) between 1 and 255),
  type text not null check (type in (
    'payment_intent', 'charge', 'balance_transaction', 'checkout_session', 'payment', 'capture', 'void',
    'refund', 'dispute', 'payout', 'transfer'
  )),
  subject_id text not null check (length(subject_id) <= 64 and (starts_with(subject_id, 'att_') or starts_with(subject_id, 'op_'))),
  created_at timestamptz not null default now(),
  primary key (psp, reference)
);

create index psp_references_subject_index on psp_references (subject_id);

-- Orders that stayed in one state for too long; each such stay is told once.
create table overdue_orders (
  payment_order_id text not null references payment_orders on delete restrict,
  transition_number bigint not null,
  found_at timestamptz not null default now(),
  primary key (payment_order_id, transition_number)
);

-- What a buyer has spent on a day (UTC); the row is the lock under which the daily limit is decided.
create table risk_buyer_days (
  buyer_account text not null,
  currency currency_code not null,
  day date not null,
  amount_minor bigint not null check (amount_minor >= 0),
  primary key (buyer_account, currency, day)
);

create table risk_block_list (
  kind text not null check (kind in ('buyer_account', 'buyer_email', 'seller_account')),
  value text not null check (length(value) between 1 and 255),
  reason text not null check (length(reason) between 1 and 500),
  created_by text not null check (length(created_by) between 1 and 255),
  created_at timestamptz not null default now(),
  primary key (kind, value)
);

grant select, insert on payment_events, payment_orders, payment_attempts, operations to pacioli_service;
grant update (is_payment_done, unfinished_order_count, status_link_revoked_at, updated_at) on payment_events to pacioli_service;
grant update (
  status, status_cause, status_actor, attempt_id, card_token, psp_token, psp_nonce, wallet_updated, ledger_updated,
  captured_minor, capturing_minor, failed_capture_count, retry_count, last_retry_at, next_retry_at, error_code, error_message, updated_at
) on payment_orders to pacioli_service;
grant update (psp_reference, status, inquiry_count, epoch, sent_at, has_stored_failure, psp_call_ms, failure_class, failure_code, failure_message,
  page_token, page_url, authorization_expires_at, authorization_ended_as, next_action, next_action_expires_at,
  resolved_as, resolution_reference, resolution_note, resolved_by, resolution_due_at, updated_at)
  on payment_attempts to pacioli_service;
grant update (void_cause, status, key_number, epoch, key_sent_at, sent_at, has_stored_failure, psp_reference, inquiry_count, failure_class, failure_code, failure_message, leased_until, due_at,
  resolved_as, resolved_by, resolution_note, updated_at) on operations to pacioli_service;
grant select, insert on psp_references to pacioli_service;
grant select on operation_kinds to pacioli_service;
grant select on payment_order_allowed_transitions, payment_order_transitions to pacioli_service;
grant select, insert on overdue_orders to pacioli_service;
grant select, insert, update on risk_buyer_days to pacioli_service;
grant select, insert, delete on risk_block_list to pacioli_service;
revoke execute on all functions in schema public from public;
