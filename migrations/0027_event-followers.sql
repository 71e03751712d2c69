-- Up Migration

-- Reading what happened (0007_events). A reader stands after a tick, or within the piece from there until a
-- later one: everything that the later tick has and the earlier one has not, in the order of the numbers.

-- Where the service's own followers stand. A row is changed in the transaction that writes what its follower
-- made of the events.
create table event_followers (
  name text primary key check (name ~ '^[a-z][a-z0-9_]{0,62}$'),
  after_tick bigint not null,
  -- Null: all before `after_tick` is read, and no piece is begun.
  until_tick bigint,
  -- The last one read of the piece.
  event_number bigint not null,
  updated_at timestamptz not null default clock_timestamp()
);

-- How many numbers a piece has at the most, unless two ticks that follow each other have more between them.
create function event_piece_numbers_max() returns bigint
language sql immutable parallel safe as $$ select 10000::bigint $$;

-- Where a reader goes on, given where it stands; null: nowhere yet. Ticks that are gone by now, because they
-- were pruned or because a dump that was restored lacks them, are replaced by the last one before, so some
-- events may come again. `is_expired`: what comes next was removed. `until_tick` is null if nothing is new.
create function event_position(
  p_after_tick bigint, p_until_tick bigint, p_event_number bigint,
  out after_tick bigint, out until_tick bigint, out event_number bigint, out is_expired boolean
)
language plpgsql stable
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  v_first_tick bigint := coalesce((select max(last_tick) from event_removals), 0);
  v_numbers bigint;
begin
  after_tick := coalesce(p_after_tick, v_first_tick);
  until_tick := p_until_tick;
  event_number := p_event_number;
  is_expired := after_tick < v_first_tick;
  if is_expired then
    return;
  end if;
  if after_tick > v_first_tick and not exists (select from ticks t where t.tick = after_tick) then
    select t.tick into after_tick from ticks t where t.tick < after_tick order by t.tick desc limit 1;
    after_tick := greatest(after_tick, v_first_tick);
    until_tick := null;
  end if;
  if until_tick is null or not exists (select from ticks t where t.tick = until_tick) then
    event_number := 0;
    v_numbers := coalesce((select t.last_event_number from ticks t where t.tick = after_tick), 0);
    select t.tick into until_tick
      from ticks t
     where (t.last_event_number, t.tick) > (v_numbers, after_tick)
       and t.last_event_number <= v_numbers + event_piece_numbers_max()
     order by t.last_event_number desc, t.tick desc
     limit 1;
    if until_tick is null then
      select t.tick into until_tick from ticks t where t.tick > after_tick order by t.tick limit 1;
    end if;
  end if;
end
$$;

-- Below all numbers of events that a later tick has and an earlier one has not.
create function event_number_before(p_after_tick bigint, p_until_tick bigint) returns bigint
language sql stable as $$
  select n.event_number
    from ticks u
   cross join tick_numbers_before(p_after_tick, u.open_xids) n
   where u.tick = p_until_tick
$$;

-- The next events of a piece, behind a number: by number, of those that the later tick has and the earlier
-- one has not. Without a tick 0 there: it had nothing.
create function read_events(
  p_after_tick bigint, p_until_tick bigint, p_event_number bigint, p_limit int,
  p_type text, p_subject_type text, p_subject_id text
) returns setof event_log
language plpgsql stable
-- Always by key and in order, whatever the statistics say.
set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
declare
  v_after ticks;
  v_until ticks;
  v_number bigint := greatest(p_event_number, event_number_before(p_after_tick, p_until_tick));
begin
  select * into v_after from ticks where tick = p_after_tick;
  select * into strict v_until from ticks where tick = p_until_tick;
  v_after.first_open_xid := coalesce(v_after.first_open_xid, 0);
  v_after.next_xid := coalesce(v_after.next_xid, 0);
  v_after.open_xids := coalesce(v_after.open_xids, '{}');
  return query
    select e.*
      from event_log e
     where e.event_number > v_number
       and e.event_number <= v_until.last_event_number
       and is_in_tick(e.xid, v_until.first_open_xid, v_until.next_xid, v_until.open_xids)
       and not is_in_tick(e.xid, v_after.first_open_xid, v_after.next_xid, v_after.open_xids)
       and (p_type is null or e.type = p_type)
       and (p_subject_id is null or (e.subject_id = p_subject_id and e.subject_type = p_subject_type))
     order by e.event_number
     limit p_limit;
end
$$;

-- The tick that was taken, or null: nothing is new, another process takes them, or one was taken less than
-- `p_milliseconds` ago. So one process of the cluster takes ticks at a time, however many ask.
create function take_tick_if_due(p_milliseconds int) returns bigint
language plpgsql as $$
declare
  v_now timestamptz;
  v_last ticks;
  v_tick bigint;
begin
  if not pg_try_advisory_xact_lock(7220301516) then
    return null;
  end if;
  v_now := clock_timestamp();
  select * into v_last from ticks order by tick desc limit 1;
  if v_last.taken_at > v_now - make_interval(secs => p_milliseconds / 1000.0) then
    return null;
  end if;
  v_tick := take_tick(false);
  return nullif(v_tick, v_last.tick);
end
$$;

-- Begins a new epoch if this database was restored from a dump, or if its cluster counts transactions below
-- what is stored. New transactions then count on above everything stored, so a tick of an older epoch
-- still says what it knew. Numbers of events and ticks jump: whoever has some that the dump lacks must not
-- meet them again with another meaning.
create function begin_xid_epoch_if_restored() returns boolean
language plpgsql security definer set search_path = pg_catalog, public, pg_temp
set enable_seqscan = off
as $$
declare
  v_jump constant bigint := 4294967296;
  v_last ticks;
  v_epoch xid_epochs;
  v_system bigint;
  v_stored bigint;
begin
  perform pg_advisory_xact_lock(7220301516);
  select * into v_epoch from xid_epochs order by epoch desc limit 1;
  select system_identifier into v_system from pg_control_system();
  select * into v_last from ticks order by tick desc limit 1;
  -- What is up to the settled numbers was written before the last tick.
  v_stored := greatest(
    v_last.next_xid,
    (select max(xid) from ledger_transactions where transaction_id > v_last.settled_transaction_id),
    (select max(xid) from events where event_number > v_last.settled_event_number),
    (select max(xid) from payment_order_transitions where transition_number > v_last.settled_event_number));
  if v_epoch.system_identifier = v_system and v_epoch.table_oid = 'xid_epochs'::regclass
     and current_xid() >= v_stored then
    return false;
  end if;
  insert into xid_epochs (xid_offset, system_identifier, table_oid)
  values (v_stored + 1, v_system, 'xid_epochs'::regclass);
  perform setval('event_numbers', (select last_value from event_numbers) + v_jump);
  perform setval(
    pg_get_serial_sequence('ticks', 'tick'), coalesce((select max(tick) from ticks), 0) + v_jump);
  return true;
end
$$;

-- Deletes ticks older than `p_days`, except for the first in each second and those where a follower stands or
-- a new one begins.
create function prune_ticks(p_days int) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
  v_now timestamptz;
begin
  if p_days < 7 then
    raise exception 'ticks are kept for at least seven days, not %', p_days using errcode = 'PL002';
  end if;
  v_now := clock_timestamp();
  delete from ticks t
   where not t.is_lasting and t.taken_at < v_now - make_interval(days => p_days)
     and t.tick < (select max(l.tick) from ticks l)
     and not exists (select from event_removals r where r.last_tick = t.tick)
     and not exists (select from event_followers f where t.tick in (f.after_tick, f.until_tick));
end
$$;

grant select, insert on event_followers to pacioli_service;
grant update (after_tick, until_tick, event_number, updated_at) on event_followers to pacioli_service;
revoke execute on all functions in schema public from public;
grant execute on function
  event_number_before(bigint, bigint),
  event_piece_numbers_max(),
  event_position(bigint, bigint, bigint),
  read_events(bigint, bigint, bigint, int, text, text, text),
  take_tick_if_due(int),
  begin_xid_epoch_if_restored(),
  prune_ticks(int)
to pacioli_service;
