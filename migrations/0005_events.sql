-- Up Migration

-- Append-only domain events, written in the transaction that causes them.
create table events (
  event_number bigint generated always as identity primary key,
  occurred_at timestamptz not null default clock_timestamp(),
  type text collate "C" not null check (type ~ '^[a-z_]+\.[a-z_]+$'),
  -- The object it is about: a checkout_id, a payment_order_id.
  subject_id text not null check (length(subject_id) between 1 and 255),
  data jsonb
);

create index events_subject_index on events (subject_id, event_number);

create function refuse_history_change() returns trigger
language plpgsql as $$
begin
  raise exception 'history cannot be changed: % of % refused', tg_op, tg_table_name using errcode = 'PL002';
end
$$;

create trigger events_append_only before update or delete or truncate on events
  for each statement execute function refuse_history_change();

grant select, insert on events to pacioli_service;
