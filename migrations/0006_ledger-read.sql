-- Up Migration

-- Entries as people read them: which account, which transaction, when.
create view ledger_entry_lines as
select e.account_id, e.account_version, e.transaction_id, e.amount_minor, e.balance_after_minor,
       a.code, a.currency::text as currency, a.owner_id, a.kind as account_kind, a.role as account_role,
       t.kind, t.subject_type, t.subject_id, t.part, t.description, t.created_at,
       coalesce(t.effective_at, t.created_at) as effective_at
  from ledger_entries e
  -- The condition of the accounts' index on the currency.
  join ledger_accounts a on a.account_id = e.account_id and a.account_id > 0
  join ledger_transactions t on t.transaction_id = e.transaction_id;

-- An account's entries between two versions, in their order or backwards. A function so that each partition
-- is read by its index: a plan that thought the account small read all its entries and sorted them.
create function ledger_lines_of(
  p_account_id bigint, p_first_version bigint, p_last_version bigint, p_is_backwards boolean, p_limit bigint
) returns setof ledger_entry_lines
language plpgsql stable rows 25
set plan_cache_mode = force_generic_plan
set enable_sort = off set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off
as $$
begin
  if p_is_backwards then
    return query
    select l.* from ledger_entry_lines l
     where l.account_id = p_account_id and l.account_version between p_first_version and p_last_version
     order by l.account_version desc limit p_limit;
  else
    return query
    select l.* from ledger_entry_lines l
     where l.account_id = p_account_id and l.account_version between p_first_version and p_last_version
     order by l.account_version limit p_limit;
  end if;
end
$$;

-- The newest entries: the index of transactions is walked backwards beside that of their entries. Both have
-- the bounds, because a bound of one does not tell the planner about the other.
create function ledger_newest_lines(
  p_currency text, p_from timestamptz, p_until timestamptz, p_before_transaction_id bigint,
  p_before_account_id bigint, p_before_version bigint, p_first_id bigint, p_last_id bigint, p_limit bigint
) returns setof ledger_entry_lines
language plpgsql stable rows 25
-- Planned for the range: a short one is read as a whole, of a long one the end.
set plan_cache_mode = force_custom_plan set enable_seqscan = off
as $$
declare
  v_first_id bigint := coalesce(p_first_id, 0);
  v_last_id bigint := least(p_last_id - 1, p_before_transaction_id, 9223372036854775807);
begin
  return query
  select l.*
    from ledger_transactions t
    join ledger_entry_lines l on l.transaction_id = t.transaction_id
   where t.transaction_id between v_first_id and v_last_id
     and l.transaction_id between v_first_id and v_last_id
     and (p_before_transaction_id is null
          or (l.transaction_id, l.account_id, l.account_version)
             < (p_before_transaction_id, p_before_account_id, p_before_version))
     and (p_currency is null or l.currency = p_currency)
     and (p_from is null or l.created_at >= p_from)
     and (p_until is null or l.created_at < p_until)
   order by t.transaction_id desc, l.account_id desc, l.account_version desc
   limit p_limit;
end
$$;

-- The account's last version before a time. Along one account, created_at grows with the version, so
-- it is found by halving: 24 probes for 10 million entries, and no index on the table of entries.
create function ledger_version_before(p_account_id bigint, p_at timestamptz) returns bigint
language plpgsql stable as $$
declare
  v_low bigint := ledger_first_version(p_account_id) - 1;
  v_high bigint;
  v_middle bigint;
  v_is_before boolean;
begin
  select a.version into strict v_high from ledger_accounts a where a.account_id = p_account_id;
  while v_low < v_high loop
    v_middle := (v_low + v_high + 1) / 2;
    select t.created_at < p_at
      into v_is_before
      from ledger_entries e
      join ledger_transactions t on t.transaction_id = e.transaction_id
     where e.account_id = p_account_id and e.account_version = v_middle;
    if not found or v_is_before then
      v_low := v_middle;
    else
      v_high := v_middle - 1;
    end if;
  end loop;
  return v_low;
end
$$;

-- An id below which no transaction was written at this time or later, found by halving too; null: no time.
-- Ids are drawn before the accounts are locked and created_at after that, so both have the same order except
-- for the wait in between: 40 seconds are more than a statement of the service may take.
create function ledger_first_transaction_since(p_at timestamptz) returns bigint
language plpgsql stable strict as $$
declare
  v_low bigint;
  v_high bigint;
  v_middle bigint;
  v_found record;
begin
  select min(t.transaction_id) - 1, max(t.transaction_id) + 1 into v_low, v_high from ledger_transactions t;
  while v_low + 1 < v_high loop
    v_middle := (v_low + v_high) / 2;
    select t.transaction_id, t.created_at into v_found
      from ledger_transactions t
     where t.transaction_id >= v_middle and t.transaction_id < v_high
     order by t.transaction_id
     limit 1;
    if v_found.created_at < p_at - interval '40 seconds' then
      v_low := v_found.transaction_id;
    else
      v_high := v_middle;
    end if;
  end loop;
  return coalesce(v_high, 0);
end
$$;

-- The account's first version whose entry is here; older ones left with their partition. One more than the
-- account's version if there is none.
create function ledger_first_version(p_account_id bigint) returns bigint
language sql stable as $$
  select coalesce(
    (select e.account_version from ledger_entries e
      where e.account_id = p_account_id order by e.account_version limit 1),
    (select a.version + 1 from ledger_accounts a where a.account_id = p_account_id))
$$;

-- The balance after a version; before the first entry that is here it is what that entry began with.
create function ledger_balance_after(p_account_id bigint, p_version bigint) returns bigint
language sql stable as $$
  select case
    when p_version = 0 then 0
    else coalesce(
      (select e.balance_after_minor from ledger_entries e
        where e.account_id = p_account_id and e.account_version = p_version),
      (select e.balance_after_minor - e.amount_minor from ledger_entries e
        where e.account_id = p_account_id and e.account_version = p_version + 1),
      (select a.balance_minor from ledger_accounts a
        where a.account_id = p_account_id and a.version = p_version))
  end
$$;

-- The last tick that is kept for ever and not after a time; it is final once any tick is after that time.
create function ledger_tick_before(p_at timestamptz) returns ticks
language sql stable as $$
  select t.* from ticks t where t.is_lasting and t.taken_at <= p_at order by t.taken_at desc limit 1
$$;

-- The account's last version at a tick. An account's next version is written only after the commit of the one
-- before, so what a tick has of an account is a prefix of its versions, and its end is found by halving: 24
-- probes for 10 million entries.
create function ledger_version_at_tick(p_account_id bigint, p_tick ticks) returns bigint
language plpgsql stable
set plan_cache_mode = force_generic_plan
set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off
as $$
declare
  v_low bigint := ledger_first_version(p_account_id) - 1;
  v_high bigint;
  v_middle bigint;
  v_is_there boolean;
begin
  select a.version into strict v_high from ledger_accounts a where a.account_id = p_account_id;
  while v_low < v_high loop
    v_middle := (v_low + v_high + 1) / 2;
    select is_in_tick(t.xid, p_tick.first_open_xid, p_tick.next_xid, p_tick.open_xids)
      into v_is_there
      from ledger_entries e
      join ledger_transactions t on t.transaction_id = e.transaction_id
     where e.account_id = p_account_id and e.account_version = v_middle;
    -- Not here: it left with its partition, which every time that is answered comes after.
    if not found or v_is_there then
      v_low := v_middle;
    else
      v_high := v_middle - 1;
    end if;
  end loop;
  return v_low;
end
$$;

-- The balance by when things happened: what was written by then, less what was written by then but happened
-- later, plus what happened by then but was written later.
create function ledger_balance_as_effective(p_account_id bigint, p_at timestamptz) returns bigint
language plpgsql stable
set plan_cache_mode = force_generic_plan
set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off
as $$
declare
  v_version bigint := ledger_version_before(p_account_id, p_at + interval '1 microsecond');
begin
  return ledger_balance_after(p_account_id, v_version)
       - coalesce((select sum(e.amount_minor)::bigint from ledger_entries e
                    where e.account_id = p_account_id and e.effective_at is not null
                      and e.account_version <= v_version and e.effective_at > p_at), 0)
       + coalesce((select sum(e.amount_minor)::bigint from ledger_entries e
                    where e.account_id = p_account_id and e.effective_at is not null
                      and e.account_version > v_version and e.effective_at <= p_at), 0);
end
$$;

grant select on ledger_entry_lines to pacioli_service;
revoke execute on all functions in schema public from public;
grant execute on function
  ledger_newest_lines(text, timestamptz, timestamptz, bigint, bigint, bigint, bigint, bigint, bigint),
  ledger_lines_of(bigint, bigint, bigint, boolean, bigint),
  ledger_version_before(bigint, timestamptz),
  ledger_first_transaction_since(timestamptz),
  ledger_first_version(bigint),
  ledger_balance_after(bigint, bigint),
  ledger_tick_before(timestamptz),
  ledger_version_at_tick(bigint, ticks),
  ledger_balance_as_effective(bigint, timestamptz)
to pacioli_service;
