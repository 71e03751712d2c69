-- Up Migration

-- Append-only domain events, written in the transaction that causes them. Numbers come from one
-- sequence for every kind of event, wherever it is kept.
create sequence event_numbers;

create table checkout_events (
  event_number bigint primary key default nextval('event_numbers'),
  occurred_at timestamptz not null default clock_timestamp(),
  type text collate "C" not null check (type in (
    'checkout.created', 'checkout.completed', 'checkout.reopened',
    'payment_order.overdue', 'payment_order.captured', 'payment_order.capture_failed'
  )),
  checkout_id client_id not null,
  data jsonb
);

create index checkout_events_checkout_index on checkout_events (checkout_id, event_number);

create function refuse_history_change() returns trigger
language plpgsql set search_path = pg_catalog, public, pg_temp as $$
begin
  raise exception 'history cannot be changed: % of % refused', tg_op, tg_table_name using errcode = 'PL002';
end
$$;

create trigger checkout_events_append_only before update or delete or truncate on checkout_events
  for each statement execute function refuse_history_change();

grant usage on sequence event_numbers to pacioli_service;
grant select, insert on checkout_events to pacioli_service;
