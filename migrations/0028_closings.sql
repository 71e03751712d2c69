-- Up Migration

-- A closing freezes a lasting tick: the state of every account as the tick sees it. What a tick sees of an
-- account is a prefix of its versions, and what lies between two ticks is fixed for ever; so whoever knows a
-- closing need not read what came before it.
create table ledger_closings (
  -- 1, 2, 3 …, without a gap.
  closing_id bigint primary key,
  tick bigint not null unique references ticks,
  -- Of what it has and the closing before it has not.
  transaction_count bigint not null check (transaction_count > 0),
  first_transaction_id bigint not null,
  last_transaction_id bigint not null,
  -- Of the former closing's digest and all rows of this one.
  digest bytea not null check (length(digest) = 32),
  created_at timestamptz not null default clock_timestamp()
);

-- Only accounts that changed since the closing before: an account's state at a closing is its newest row up
-- to it.
create table ledger_closing_balances (
  account_id bigint not null,
  closing_id bigint not null,
  version bigint not null,
  balance_minor bigint not null,
  primary key (account_id, closing_id)
);

create index ledger_closing_balances_closing_index on ledger_closing_balances (closing_id, account_id);

-- How much money moved: the sum of a closing's debits.
create table ledger_closing_debits (
  closing_id bigint not null,
  currency currency_code not null,
  debit_minor numeric not null,
  primary key (closing_id, currency)
);

create trigger ledger_closings_append_only before update or delete or truncate on ledger_closings
  for each statement execute function ledger_refuse_change();
create trigger ledger_closing_balances_append_only
  before update or delete or truncate on ledger_closing_balances
  for each statement execute function ledger_refuse_change();
create trigger ledger_closing_debits_append_only before update or delete or truncate on ledger_closing_debits
  for each statement execute function ledger_refuse_change();

-- The digest of a closing by what is stored of it: its own rows, its tick and the former digest.
create function ledger_closing_digest(
  p_closing_id bigint, p_tick bigint, p_transaction_count bigint, p_first_transaction_id bigint,
  p_last_transaction_id bigint
) returns bytea
language sql stable as $$
  select sha256(
    coalesce((select c.digest from ledger_closings c where c.closing_id = p_closing_id - 1), '')
    || convert_to(concat_ws(
         E'\n',
         concat_ws(' ', p_closing_id, p_transaction_count, p_first_transaction_id, p_last_transaction_id),
         (select concat_ws(' ', k.tick, k.first_open_xid, k.next_xid, k.open_xids)
            from ticks k where k.tick = p_tick),
         (select string_agg(concat_ws(' ', d.currency, d.debit_minor), E'\n' order by d.currency collate "C")
            from ledger_closing_debits d where d.closing_id = p_closing_id),
         (select string_agg(concat_ws(' ', b.account_id, b.version, b.balance_minor), E'\n'
                            order by b.account_id)
            from ledger_closing_balances b where b.closing_id = p_closing_id)), 'UTF8'))
$$;

-- The tick of the next closing: the newest lasting one with at most half a million transactions since the
-- last closing, so that a closing takes seconds; if that has nothing new, the first after it.
create function ledger_next_closing_tick(p_former ticks) returns ticks
language plpgsql stable as $$
declare
  v_tick ticks;
begin
  select * into v_tick
    from ticks k
   where k.is_lasting and k.tick > p_former.tick
     and k.last_transaction_id <= p_former.last_transaction_id + 500000
   order by k.tick desc
   limit 1;
  if v_tick.tick is null or not exists (
    select from ledger_transactions t
     where t.transaction_id > p_former.settled_transaction_id
       and t.transaction_id <= v_tick.last_transaction_id
       and is_in_tick(t.xid, v_tick.first_open_xid, v_tick.next_xid, v_tick.open_xids)
       and not is_in_tick(t.xid, p_former.first_open_xid, p_former.next_xid, p_former.open_xids)
  ) then
    select * into v_tick
      from ticks k
     where k.is_lasting and k.tick > greatest(p_former.tick, v_tick.tick)
     order by k.tick
     limit 1;
  end if;
  return v_tick;
end
$$;

-- Makes the next closing and gives its number; null: nothing was written since the last one.
create function ledger_add_closing() returns bigint
language plpgsql security definer set search_path = pg_catalog, public, pg_temp
-- The slices differ in size, so each gets a plan of its own.
set plan_cache_mode = force_custom_plan
as $$
declare
  v_former ticks;
  v_tick ticks;
  v_closing_id bigint;
  v_count bigint;
  v_first bigint;
  v_last bigint;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'a closing must see the one before it: make it in a transaction that is read committed';
  end if;
  perform pg_advisory_xact_lock(7220301518);
  select coalesce(max(closing_id), 0) + 1 into v_closing_id from ledger_closings;
  select k.* into v_former
    from ledger_closings c
    join ticks k on k.tick = c.tick
   where c.closing_id = v_closing_id - 1;
  if v_former.tick is null then
    v_former := row(0, '-infinity', 0, 0, '{}', 0, 0, 0, 0, true);
  end if;
  v_tick := ledger_next_closing_tick(v_former);

  select count(*), min(t.transaction_id), max(t.transaction_id)
    into v_count, v_first, v_last
    from ledger_transactions t
   where t.transaction_id > v_former.settled_transaction_id
     and t.transaction_id <= v_tick.last_transaction_id
     and is_in_tick(t.xid, v_tick.first_open_xid, v_tick.next_xid, v_tick.open_xids)
     and not is_in_tick(t.xid, v_former.first_open_xid, v_former.next_xid, v_former.open_xids);
  if v_count = 0 then
    return null;
  end if;

  with entries as materialized (
    select e.account_id, e.account_version, e.amount_minor, e.balance_after_minor
      from ledger_transactions t
      join ledger_entries e on e.transaction_id = t.transaction_id
     where t.transaction_id > v_former.settled_transaction_id
     and t.transaction_id <= v_tick.last_transaction_id
       and is_in_tick(t.xid, v_tick.first_open_xid, v_tick.next_xid, v_tick.open_xids)
       and not is_in_tick(t.xid, v_former.first_open_xid, v_former.next_xid, v_former.open_xids)
       and e.transaction_id between v_first and v_last
  ), balances as (
    insert into ledger_closing_balances (account_id, closing_id, version, balance_minor)
    select distinct on (account_id) account_id, v_closing_id, account_version, balance_after_minor
      from entries
     order by account_id, account_version desc
  )
  insert into ledger_closing_debits (closing_id, currency, debit_minor)
  select v_closing_id, a.currency, sum(e.amount_minor)
    from entries e
    join ledger_accounts a on a.account_id = e.account_id
   where e.amount_minor > 0
   group by a.currency;

  insert into ledger_closings
    (closing_id, tick, transaction_count, first_transaction_id, last_transaction_id, digest)
  values (
    v_closing_id, v_tick.tick, v_count, v_first, v_last,
    ledger_closing_digest(v_closing_id, v_tick.tick, v_count, v_first, v_last)
  );
  return v_closing_id;
end
$$;

-- What was verified, and what was found. A run covers everything after one closing (0: from the
-- beginning) up to its own moment; the next one may start from the last closing that it read.
create table verify_runs (
  run_id bigint generated always as identity primary key,
  mode text not null check (mode in ('full', 'incremental')),
  from_closing_id bigint not null,
  to_closing_id bigint not null check (to_closing_id >= from_closing_id),
  -- Of the last closing; null: there was none yet.
  digest bytea check (length(digest) = 32),
  checks jsonb not null,
  fault_count integer not null check (fault_count >= 0),
  -- The sum of all debits that the books had, by currency.
  debits jsonb not null,
  took_ms integer not null,
  created_at timestamptz not null default clock_timestamp()
);

create index verify_runs_faultless_index on verify_runs (run_id) where fault_count = 0;

create trigger verify_runs_append_only before update or delete or truncate on verify_runs
  for each statement execute function refuse_history_change();

-- Whether what took effect by a time can no longer change: it lies in a closed period that a tick has, and
-- what had begun by that tick has ended. What began later knew of the period.
create function ledger_is_effective_final(p_at timestamptz) returns boolean
language sql stable as $$
  select exists (
    select from ledger_closed_periods p
     cross join lateral (
       select k.next_xid from ticks k
        where k.taken_at >= p.created_at
          and is_in_tick(p.xid, k.first_open_xid, k.next_xid, k.open_xids)
        order by k.taken_at limit 1
     ) k
     where p.until > p_at
       and k.next_xid <= (select n.first_open_xid from ticks n order by n.tick desc limit 1))
$$;

-- Detaches the partitions whose last entry was written before a time, oldest first, and gives their names. A
-- faultless run must have covered a closing that has all their transactions: from then on closings tell what
-- they came to. The tables stay, to be stored elsewhere and dropped.
create function ledger_detach_partitions(p_before timestamptz) returns setof text
language plpgsql as $$
declare
  v_partition ledger_entry_partitions;
  v_tick bigint;
begin
  for v_partition in
    select * from ledger_entry_partitions where detached_at is null order by from_transaction_id for update
  loop
    select k.tick into v_tick
      from ledger_closings c
      join ticks k on k.tick = c.tick
     where k.settled_transaction_id >= v_partition.until_transaction_id - 1
       and c.closing_id <= (
         select r.to_closing_id from verify_runs r where r.fault_count = 0 order by r.run_id desc limit 1)
     order by c.closing_id
     limit 1;
    exit when v_tick is null or exists (
      select from ledger_transactions t
       where t.transaction_id >= v_partition.from_transaction_id
         and t.transaction_id < v_partition.until_transaction_id and t.created_at >= p_before);
    execute format(
      'alter table ledger_entries detach partition ledger_entries_%s', v_partition.from_transaction_id);
    update ledger_entry_partitions
       set detached_at = clock_timestamp(), detached_tick = v_tick
     where from_transaction_id = v_partition.from_transaction_id;
    return next 'ledger_entries_' || v_partition.from_transaction_id;
  end loop;
end
$$;

grant select on
  ledger_closings, ledger_closing_balances, ledger_closing_debits, verify_runs
to pacioli_service;
grant insert (mode, from_closing_id, to_closing_id, digest, checks, fault_count, debits, took_ms)
  on verify_runs to pacioli_service;
revoke execute on all functions in schema public from public;
grant execute on function
  ledger_is_effective_final(timestamptz),
  ledger_closing_digest(bigint, bigint, bigint, bigint, bigint),
  ledger_add_closing()
to pacioli_service;
