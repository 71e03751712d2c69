-- Up Migration

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
  -- The database transaction that wrote it (0002_ticks): an order's change of state is an event.
  xid bigint not null default current_xid(),
  -- What was captured of the order after it.
  captured_minor bigint not null,
  payment_order_id text not null,
  from_status payment_order_status,
  to_status payment_order_status not null,
  cause text not null,
  actor text not null,
  attempt_id text,
  occurred_at timestamptz not null default clock_timestamp()
);

create index payment_order_transitions_order_index
  on payment_order_transitions (payment_order_id, transition_number);

create trigger payment_order_transitions_append_only
  before update or delete or truncate on payment_order_transitions
  for each statement execute function refuse_history_change();

-- Both checks below end here: an order may not change so.
create function payment_orders_refuse(
  p_order_id text, p_from_status payment_order_status, p_to_status payment_order_status
) returns void
language plpgsql as $$
begin
  raise exception 'payment order % may not go from % to %',
    p_order_id, coalesce(p_from_status::text, 'nothing'), p_to_status using errcode = 'PL005';
end
$$;

-- The history is written and checked in one statement: what the check refuses is rolled back with it.
-- Both run as the owner: the service's role may read the history, but only a change of state writes it.
-- An order that is stored in EXECUTING was accepted and handed to the executor in one commit: two steps.
create function payment_orders_after_insert() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
  v_refused record;
  v_xid bigint := current_xid();
begin
  with written as (
    insert into payment_order_transitions
      (xid, payment_order_id, from_status, to_status, captured_minor, cause, actor, attempt_id)
    select v_xid, payment_order_id, null::payment_order_status,
           case status when 'EXECUTING' then 'NOT_STARTED' else status end, captured_minor,
           case status when 'EXECUTING' then 'accepted' else status_cause end,
           created_by, case status when 'EXECUTING' then null else attempt_id end
      from new_orders
    union all
    select v_xid, payment_order_id, 'NOT_STARTED', status, captured_minor, status_cause, status_actor,
           attempt_id
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
    perform payment_orders_refuse(v_refused.payment_order_id, v_refused.from_status, v_refused.to_status);
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
  v_xid bigint := current_xid();
begin
  with written as (
    insert into payment_order_transitions
      (xid, payment_order_id, from_status, to_status, captured_minor, cause, actor, attempt_id)
    select v_xid, n.payment_order_id, o.status, n.status, n.captured_minor, n.status_cause, n.status_actor,
           n.attempt_id
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
    perform payment_orders_refuse(v_refused.payment_order_id, v_refused.from_status, v_refused.to_status);
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

grant select on payment_order_allowed_transitions, payment_order_transitions to pacioli_service;
revoke execute on all functions in schema public from public;
