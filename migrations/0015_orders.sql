-- Up Migration

create type payment_order_status as enum
  ('NOT_STARTED', 'EXECUTING', 'PENDING', 'UNKNOWN', 'RETRY_SCHEDULED', 'AUTHORIZED', 'SUCCESS', 'FAILED',
   'CANCELED');
create type capture_method as enum ('automatic', 'manual');

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
  -- The platform's share of every capture, fixed with the acceptance: the rule's name and its rate.
  commission_rule text not null default 'default' check (length(commission_rule) between 1 and 64),
  commission_basis_points smallint not null default 0 check (commission_basis_points between 0 and 10000),
  status payment_order_status not null,
  -- Why it is in this state, who moved it there and with which attempt: a trigger copies it
  -- into the history.
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
    and case status when 'SUCCESS' then captured_minor > 0
                    when 'AUTHORIZED' then true
                    else captured_minor = 0 end
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

grant select, insert on payment_orders to pacioli_service;
grant update (
  status, status_cause, status_actor, attempt_id, card_token, psp_token, psp_nonce, wallet_updated,
  ledger_updated, captured_minor, capturing_minor, failed_capture_count, retry_count, last_retry_at,
  next_retry_at, error_code, error_message, updated_at
) on payment_orders to pacioli_service;
