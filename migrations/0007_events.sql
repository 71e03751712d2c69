-- Up Migration

-- What happens, for whoever follows it: append-only, written in the transaction that causes it. Along one
-- subject the numbers are in the order of commits, because a number is drawn once its subject is locked; over
-- all subjects they are not, so a follower reads by ticks. A writer has its xid before it draws a number, so
-- the numbers of a transaction are above those of the ticks that knew nothing of it.
create sequence event_numbers;

-- An order's change of state is not written twice: its row in payment_order_transitions is its event
-- (0016_order-history has the view of both).
create table events (
  event_number bigint not null default nextval('event_numbers'),
  xid bigint not null default current_xid(),
  occurred_at timestamptz not null default clock_timestamp(),
  type text collate "C" not null check (type ~ '^[a-z_]+[.][a-z_]+$'),
  -- Of the data's form.
  version smallint not null default 1,
  subject_type text collate "C" not null check (length(subject_type) between 1 and 32),
  subject_id client_id not null,
  seller_account client_id,
  checkout_id client_id,
  data jsonb not null
) partition by range (occurred_at);

create index events_number_index on events (event_number);
create index events_subject_index on events (subject_id, event_number);

create table events_default partition of events default;

create function refuse_history_change() returns trigger
language plpgsql set search_path = pg_catalog, public, pg_temp as $$
begin
  raise exception 'history cannot be changed: % of % refused', tg_op, tg_table_name using errcode = 'PL002';
end
$$;

create trigger events_append_only before update or delete or truncate on events
  for each statement execute function refuse_history_change();

grant usage on sequence event_numbers to pacioli_service;
grant select, insert on events to pacioli_service;
revoke execute on all functions in schema public from public;
