-- Up Migration

-- All events as one stream. What an order's event says beside its transition never changes: the order's
-- amount, seller and checkout, and the attempt's account and charge there.
create view event_log as
select e.event_number, e.xid, e.occurred_at, e.type, e.version, e.subject_type, e.subject_id::text,
       e.seller_account::text, e.checkout_id::text, e.data
  from events e
union all
select t.transition_number, t.xid, t.occurred_at,
       'payment_order.' || case t.to_status
         when 'NOT_STARTED' then 'created'
         when 'SUCCESS' then 'succeeded'
         else lower(t.to_status::text)
       end,
       1, 'payment_order', t.payment_order_id, o.seller_account::text, o.checkout_id,
       jsonb_build_object(
         'previous_status', t.from_status, 'status', t.to_status, 'cause', t.cause,
         'amount_minor', o.amount_minor::text, 'captured_minor', t.captured_minor::text,
         'currency', o.currency, 'attempt_id', t.attempt_id, 'psp', a.psp, 'psp_reference', a.psp_reference)
  from payment_order_transitions t
  join payment_orders o on o.payment_order_id = t.payment_order_id
  left join payment_attempts a on a.attempt_id = t.attempt_id;

grant select on event_log to pacioli_service;

-- Makes the next partition of entries when the last one begins to fill, so that one is always ahead.
create function ledger_extend() returns void
language plpgsql as $$
declare
  v_last ledger_entry_partitions;
  v_transaction_id bigint;
begin
  select last_value into v_transaction_id from ledger_transactions_transaction_id_seq;
  select * into v_last from ledger_entry_partitions order by from_transaction_id desc limit 1;
  if v_transaction_id >= v_last.from_transaction_id then
    perform ledger_add_partition(v_last.until_transaction_id - v_last.from_transaction_id);
  end if;
end
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
  v_first_open_xid bigint;
  v_last_event_number bigint;
  v_last_transaction_id bigint;
  v_tick bigint;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'a tick needs a snapshot of after its lock: take it in a read committed transaction';
  end if;
  perform pg_advisory_xact_lock(7220301516);
  select * into v_last from ticks order by tick desc limit 1;
  -- Who begins after this transaction has its xid must draw numbers above those that this tick stores.
  if v_last.tick is not null and pg_current_xact_id_if_assigned() is not null then
    raise exception 'a tick reads the last numbers before it has an xid: take it before anything is written';
  end if;
  if not p_is_forced and v_last.tick is not null and not ticks_has_news(v_last) then
    return v_last.tick;
  end if;
  select xid_offset into v_offset from xid_epochs order by epoch desc limit 1;
  v_snapshot := pg_current_snapshot();
  -- After the snapshot, so that no row of this tick has a higher number. A sequence of which no number was
  -- drawn has the first one as its last value.
  select last_value - (not is_called)::int into v_last_event_number from event_numbers;
  select last_value - (not is_called)::int
    into v_last_transaction_id
    from ledger_transactions_transaction_id_seq;
  v_first_open_xid := pg_snapshot_xmin(v_snapshot)::text::bigint + v_offset;
  v_taken_at := greatest(clock_timestamp(), v_last.taken_at + interval '1 microsecond');
  insert into ticks (
    taken_at, first_open_xid, next_xid, open_xids, last_event_number, settled_event_number,
    last_transaction_id, settled_transaction_id, is_lasting
  )
  select v_taken_at, v_first_open_xid, pg_snapshot_xmax(v_snapshot)::text::bigint + v_offset,
         array(select x::text::bigint + v_offset from pg_snapshot_xip(v_snapshot) as x),
         v_last_event_number, coalesce(s.last_event_number, 0),
         v_last_transaction_id, coalesce(s.last_transaction_id, 0),
         not exists (select from ticks where is_lasting and taken_at >= date_trunc('second', v_taken_at))
    -- The tick below whose `next_xid` all has ended by now, and the one before it, for the reason in
    -- tick_numbers_before.
    from (select 1) one
    left join lateral (
      select b.last_event_number, b.last_transaction_id
        from ticks b
       where b.tick < (select max(t.tick) from ticks t where t.next_xid <= v_first_open_xid)
       order by b.tick desc
       limit 1
    ) s on true
  returning tick into v_tick;
  -- Not in a posting, where the table is in use: PostgreSQL refuses to attach a partition then.
  perform ledger_extend();
  return v_tick;
end
$$;

-- Below all numbers that a tick has not and a later snapshot, at which `p_open_xids` are open, has: those of
-- transactions that were open at the tick and have ended since, or that began after it. Who draws a number
-- has begun before that. A tick's `next_xid` is not above all that had begun, but above the tick before it,
-- which had read its last numbers before it had an xid: so the numbers of a transaction from `next_xid` on
-- are above those that the tick before stored. A transaction that stays open is none of these, so nobody has
-- to read everything since it began. Without a tick 0: it had nothing.
create function tick_numbers_before(
  p_tick bigint, p_open_xids bigint[], out event_number bigint, out transaction_id bigint
)
language sql stable as $$
  select coalesce(b.last_event_number, 0), coalesce(b.last_transaction_id, 0)
    from (select 1) one
    left join ticks p on p.tick = p_tick
    left join lateral (
      select s.tick
        from ticks s
       where s.tick <= p.tick
         and s.next_xid <=
             least(p.next_xid, (select min(x) from unnest(p.open_xids) as x where x <> all (p_open_xids)))
       order by s.tick desc
       limit 1
    ) s on true
    left join lateral (
      select t.last_event_number, t.last_transaction_id
        from ticks t
       where t.tick < s.tick
       order by t.tick desc
       limit 1
    ) b on true
$$;

-- Whether a followed row has committed since a tick.
create function ticks_has_news(p_tick ticks) returns boolean
language plpgsql stable
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  v_offset bigint := (select xid_offset from xid_epochs order by epoch desc limit 1);
  v_open_xids bigint[] :=
    array(select x::text::bigint + v_offset from pg_snapshot_xip(pg_current_snapshot()) as x);
  v_event_number bigint;
  v_transaction_id bigint;
begin
  select n.event_number, n.transaction_id
    into v_event_number, v_transaction_id
    from tick_numbers_before(p_tick.tick, v_open_xids) n;
  return exists (
           select from ledger_transactions t
            where t.transaction_id > v_transaction_id
              and not is_in_tick(t.xid, p_tick.first_open_xid, p_tick.next_xid, p_tick.open_xids))
      or exists (
           select from events e
            where e.event_number > v_event_number
              and not is_in_tick(e.xid, p_tick.first_open_xid, p_tick.next_xid, p_tick.open_xids))
      or exists (
           select from payment_order_transitions t
            where t.transition_number > v_event_number
              and not is_in_tick(t.xid, p_tick.first_open_xid, p_tick.next_xid, p_tick.open_xids));
end
$$;

-- The first tick: nothing has happened yet.
select take_tick(true);

revoke execute on all functions in schema public from public;
grant execute on function
  take_tick(boolean),
  tick_numbers_before(bigint, bigint[])
to pacioli_service;
