-- Up Migration

-- Domain events, for all who follow them: append-only, written in the transaction that causes it. Along one
-- subject the numbers are in the order of commits, because a number is drawn once its subject is locked; over
-- all subjects they are not, so a follower reads by ticks. A writer has its xid before it draws a number, so
-- the numbers of a transaction are above those of the ticks that knew nothing of it.
create sequence event_numbers;

-- An order's change of state is not written twice: its row in payment_order_transitions is its event
-- (0016_order-history has the view of both).
create table events (
  -- Before the number, so that a transaction that begins with this row has its xid before it draws one.
  xid bigint not null default current_xid(),
  event_number bigint not null default nextval('event_numbers'),
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

create function refuse_history_change() returns trigger
language plpgsql set search_path = pg_catalog, public, pg_temp as $$
begin
  raise exception 'history cannot be changed: % of % refused', tg_op, tg_table_name using errcode = 'PL002';
end
$$;

-- A statement fires the triggers of the table that it names, so the partitions need them as well.
create function events_guard(p_table name) returns void
language plpgsql as $$
begin
  execute format(
    'create trigger events_append_only before update or delete or truncate on %I
       for each statement execute function refuse_history_change()', p_table);
end
$$;

select events_guard('events');

-- What no partition was made for in time is kept here: money never waits for a partition.
create table events_default partition of events default;
select events_guard('events_default');

-- Up to when events were removed, and the first tick that has all of them: who has not read up to there has
-- missed some.
create table event_removals (
  until_at timestamptz primary key,
  last_tick bigint not null,
  removed_at timestamptz not null default clock_timestamp()
);

-- Makes the partitions of this week and of the next `p_weeks`, and gives how many. A week begins on Monday,
-- UTC. They are attached, not made in place: that would wait for every writer and stop all others. A week of
-- which the default partition has events already stays there.
create function events_add_partitions(p_weeks int) returns int
language plpgsql security definer set search_path = pg_catalog, public, pg_temp set lock_timeout = '2s'
as $$
declare
  v_now timestamptz;
  v_from timestamptz;
  v_name name;
  v_count int := 0;
begin
  perform pg_advisory_xact_lock(7220301519);
  v_now := clock_timestamp();
  for i in 0 .. least(greatest(p_weeks, 0), 26) loop
    v_from := date_trunc('week', v_now + make_interval(days => 7 * i), 'UTC');
    v_name := 'events_' || to_char(v_from at time zone 'UTC', 'YYYYMMDD');
    continue when to_regclass(format('public.%I', v_name)) is not null
      or exists (
        select from events_default where occurred_at >= v_from and occurred_at < v_from + interval '7 days');
    execute format(
      'create table public.%I (like events including defaults including constraints)', v_name);
    perform events_guard(v_name);
    execute format(
      'alter table events attach partition %I for values from (%L) to (%L)',
      v_name, v_from, v_from + interval '7 days');
    v_count := v_count + 1;
  end loop;
  return v_count;
end
$$;

-- The first tick that has every event of before a time: all that had begun by then is below the second tick
-- after it, because the first one was written later, and has ended. Null: there is none yet.
create function events_tick_after(p_time timestamptz) returns bigint
language sql stable as $$
  select t.tick
    from ticks t
   where t.taken_at >= p_time
     and t.first_open_xid >=
         (select n.next_xid from ticks n where n.taken_at >= p_time order by n.taken_at offset 1 limit 1)
   order by t.taken_at
   limit 1
$$;

-- Drops the partitions whose events are all older than `p_days`, and gives how many: none before a tick has
-- all of these. It waits for writers no longer than half a second, because others wait behind it; who calls
-- it tries again.
create function events_drop_partitions(p_days int) returns int
language plpgsql security definer set search_path = pg_catalog, public, pg_temp set lock_timeout = '500ms'
as $$
declare
  v_now timestamptz;
  v_until timestamptz;
  v_last_tick bigint;
  v_name name;
  v_count int := 0;
begin
  if p_days < 7 then
    raise exception 'events are kept for at least seven days, not %', p_days using errcode = 'PL002';
  end if;
  perform pg_advisory_xact_lock(7220301519);
  v_now := clock_timestamp();
  v_until := date_trunc('week', v_now - make_interval(days => p_days), 'UTC');
  v_last_tick := events_tick_after(v_until);
  if v_last_tick is null then
    return 0;
  end if;
  for v_name in
    select c.relname
      from pg_inherits i join pg_class c on c.oid = i.inhrelid
     where i.inhparent = 'public.events'::regclass and c.relname ~ '^events_[0-9]{8}$'
       and to_timestamp(substr(c.relname, 8) || ' UTC', 'YYYYMMDD TZ') < v_until
     order by c.relname
  loop
    execute format('drop table public.%I', v_name);
    v_count := v_count + 1;
  end loop;
  if exists (select from events_default)
     and not exists (select from events_default where occurred_at >= v_until) then
    drop table public.events_default;
    create table public.events_default partition of events default;
    perform events_guard('events_default');
    v_count := v_count + 1;
  end if;
  if v_count > 0 then
    insert into event_removals (until_at, last_tick) values (v_until, v_last_tick) on conflict do nothing;
  end if;
  return v_count;
end
$$;

select events_add_partitions(4);

grant usage on sequence event_numbers to pacioli_service;
grant select, insert on events to pacioli_service;
grant select on event_removals to pacioli_service;
revoke execute on all functions in schema public from public;
grant execute on function
  events_add_partitions(int),
  events_drop_partitions(int)
to pacioli_service;
