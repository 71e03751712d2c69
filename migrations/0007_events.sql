-- Up Migration

-- What happens, for whoever follows it: append-only, written in the transaction that causes it. Along one
-- subject the numbers are in the order of commits, because a number is drawn once its subject is locked; over
-- all subjects they are not, so a follower reads by ticks.
create sequence event_numbers;

create table events (
  event_number bigint not null default nextval('event_numbers'),
  xid bigint not null,
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
create index events_xid_index on events (xid, event_number);

create table events_default partition of events default;

create function refuse_history_change() returns trigger
language plpgsql set search_path = pg_catalog, public, pg_temp as $$
begin
  raise exception 'history cannot be changed: % of % refused', tg_op, tg_table_name using errcode = 'PL002';
end
$$;

create trigger events_append_only before update or delete or truncate on events
  for each statement execute function refuse_history_change();

-- Whether a followed row has committed since a tick.
create function ticks_has_news(p_tick ticks) returns boolean
language sql stable as $$
  select exists (
           select from ledger_transactions t
            where t.xid >= p_tick.first_open_xid
              and not is_in_tick(t.xid, p_tick.first_open_xid, p_tick.next_xid, p_tick.open_xids))
      or exists (
           select from events e
            where e.xid >= p_tick.first_open_xid
              and not is_in_tick(e.xid, p_tick.first_open_xid, p_tick.next_xid, p_tick.open_xids))
$$;

-- Takes a tick if anything was written since the last one, or if `p_is_forced`. Ticks are taken one at a
-- time, each after the commit of the one before, so what a tick has the next one has too, and who sees a tick
-- sees all before it.
create function take_tick(p_is_forced boolean) returns bigint
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
  v_last ticks;
  v_snapshot pg_snapshot;
  v_offset bigint;
  v_taken_at timestamptz;
  v_tick bigint;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'a tick needs the snapshot after its lock: take it in a transaction that is read committed';
  end if;
  perform pg_advisory_xact_lock(7220301516);
  select * into v_last from ticks order by tick desc limit 1;
  if not p_is_forced and v_last.tick is not null and not ticks_has_news(v_last) then
    return v_last.tick;
  end if;
  select xid_offset into v_offset from xid_epochs order by epoch desc limit 1;
  v_snapshot := pg_current_snapshot();
  v_taken_at := greatest(clock_timestamp(), v_last.taken_at + interval '1 microsecond');
  insert into ticks (taken_at, first_open_xid, next_xid, open_xids, is_lasting)
  values (
    v_taken_at,
    pg_snapshot_xmin(v_snapshot)::text::bigint + v_offset,
    pg_snapshot_xmax(v_snapshot)::text::bigint + v_offset,
    array(select x::text::bigint + v_offset from pg_snapshot_xip(v_snapshot) as x),
    not exists (select from ticks where is_lasting and taken_at >= date_trunc('second', v_taken_at))
  )
  returning tick into v_tick;
  return v_tick;
end
$$;


-- The first tick: the books are empty.
select take_tick(true);

grant usage on sequence event_numbers to pacioli_service;
grant select, insert on events to pacioli_service;
revoke execute on all functions in schema public from public;
grant execute on function take_tick(boolean) to pacioli_service;
