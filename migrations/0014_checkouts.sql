-- Up Migration

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

grant select, insert on payment_events to pacioli_service;
grant update (is_payment_done, unfinished_order_count, status_link_revoked_at, updated_at)
  on payment_events to pacioli_service;
