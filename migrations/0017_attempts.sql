-- Up Migration

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
    and case resolved_as when 'failed' then true
                         else (resolved_as is null) = (resolution_reference is null) end
  ),
  constraint payment_attempts_next_action_expiry_check check (
    (next_action is null) = (next_action_expires_at is null)
  ),
  constraint payment_attempts_page_check check (
    page_token is null or (page_url is not null and payment_order_id is null)
  )
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
create unique index payment_attempts_one_resolution_per_reference
  on payment_attempts (psp, resolution_reference)
  where resolved_as in ('succeeded', 'authorized');
create index payment_attempts_resolution_index on payment_attempts (resolution_due_at)
  where resolved_as is not null and status in ('executing', 'pending', 'unknown');
create index payment_attempts_next_action_index on payment_attempts (next_action_expires_at)
  where next_action_expires_at is not null;
create index payment_attempts_authorized_index on payment_attempts (authorization_expires_at)
  where status = 'authorized';

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
        or exists (select from payment_order_transitions t
                    where t.payment_order_id = o.payment_order_id and t.attempt_id = a.attempt_id));

grant select on payment_attempt_orders to pacioli_service;

-- The turn of a call about a request that was sent before. The key is used again while the PSP is certain to
-- remember it and has no server error stored under it. After that the PSP is only asked; "nothing there" is
-- believed once nothing was sent for the quiet time, because a PSP may carry a request out later that it
-- answered with a server error.
create function payments_turn(
  p_key_sent_at timestamptz, p_sent_at timestamptz, p_has_stored_failure boolean,
  p_key_seconds double precision, p_quiet_seconds double precision
) returns text language sql stable as $$
  select case
    when not p_has_stored_failure and p_key_sent_at > now() - p_key_seconds * interval '1 second'
      then 'ask_then_send'
    when p_sent_at < now() - p_quiet_seconds * interval '1 second' then 'ask_for_proof'
    else 'ask_only'
  end
$$;

grant select, insert on payment_attempts to pacioli_service;
grant update (
  psp_reference, status, inquiry_count, epoch, sent_at, has_stored_failure, psp_call_ms, failure_class,
  failure_code, failure_message, page_token, page_url, authorization_expires_at, authorization_ended_as,
  next_action, next_action_expires_at, resolved_as, resolution_reference, resolution_note, resolved_by,
  resolution_due_at, updated_at
) on payment_attempts to pacioli_service;
revoke execute on all functions in schema public from public;
grant execute on function
  payments_turn(timestamptz, timestamptz, boolean, double precision, double precision)
to pacioli_service;
