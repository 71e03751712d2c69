-- Up Migration

-- How a posting works. The caller names each account of a whole batch once; transactions and
-- entries point at them by position. The batch is written by one update of the accounts, which
-- locks them too, and two inserts. Only when that meets an account that is missing, a transaction
-- already posted or a floor does `ledger_post` go a longer way.
--
-- Accounts are locked in the order of (code, currency), everywhere. Plans are generic and by key:
-- the arrays are small beside the tables, and a plan must not turn with the statistics.

-- When transactions take effect: what happened in a closed period takes effect at its end, because money that
-- a PSP reports must be booked, whenever it was.
create function ledger_open_times(p_effective_ats timestamptz[]) returns timestamptz[]
language sql stable as $$
  select array_agg(case when e.effective_at is not null then greatest(e.effective_at, p.until) end
                   order by e.position)
    from unnest(p_effective_ats) with ordinality as e (effective_at, position)
    cross join (select max(until) as until from ledger_closed_periods) p
$$;

-- Writes a batch or nothing of it. Raises PL004 when an account is missing, unique_violation when
-- a transaction is already posted, PL001 when a running balance breaks its account's floor.
create function ledger_write_batch(
  p_account_codes text[], p_account_currencies text[],
  p_transaction_ids bigint[], p_kinds ledger_transaction_kind[], p_subject_types ledger_subject_type[],
  p_subject_ids text[], p_parts text[], p_effective_ats timestamptz[], p_descriptions text[],
  p_reverses bigint[],
  p_entry_transactions int[], p_entry_accounts int[], p_entry_amounts bigint[]
) returns void
language plpgsql
set plan_cache_mode = force_generic_plan
set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off
as $$
declare
  v_now timestamptz;
  v_xid bigint;
  v_effective_ats timestamptz[] := p_effective_ats;
  v_changes bigint[];
  v_counts bigint[];
  v_account_ids bigint[];
  v_balances bigint[];
  v_versions bigint[];
  v_minimums bigint[];
  v_maximums bigint[];
  v_broken_account_id bigint;
begin
  select array_agg(c.change_minor), array_agg(c.entry_count)
    into v_changes, v_counts
    from (
      select e.account_position, sum(e.amount_minor)::bigint as change_minor, count(*) as entry_count
        from unnest(p_entry_accounts, p_entry_amounts) as e (account_position, amount_minor)
       group by e.account_position
       order by e.account_position
    ) c;

  with updated as (
    update ledger_accounts a
       set balance_minor = a.balance_minor + n.change_minor,
           version = a.version + n.entry_count,
           updated_at = clock_timestamp()
      from (
        select *
          from unnest(p_account_codes, p_account_currencies, v_changes, v_counts) with ordinality
               as named (code, currency, change_minor, entry_count, position)
         order by named.code collate "C", named.currency collate "C"
      ) n
     where a.code = n.code and a.currency = n.currency
    returning n.position, a.account_id, a.balance_minor - n.change_minor as balance_minor,
              a.version - n.entry_count as version, a.floor_minor,
              a.kind in ('asset', 'expense') as is_debit_normal
  )
  select array_agg(u.account_id), array_agg(u.balance_minor), array_agg(u.version),
         array_agg(case when u.is_debit_normal then u.floor_minor end),
         array_agg(case when not u.is_debit_normal then -u.floor_minor end)
    into v_account_ids, v_balances, v_versions, v_minimums, v_maximums
    from (select * from updated order by position) u;

  if coalesce(cardinality(v_account_ids), 0) < cardinality(p_account_codes) then
    raise exception 'ledger accounts are missing' using errcode = 'PL004';
  end if;

  if cardinality(array_remove(p_effective_ats, null)) > 0 then
    v_effective_ats := ledger_open_times(p_effective_ats);
  end if;

  -- Read after the accounts are locked, so that along one account time never runs backwards.
  v_now := clock_timestamp();
  v_xid := current_xid();
  insert into ledger_transactions
    (transaction_id, created_at, xid, effective_at, reverses_transaction_id, kind, subject_type, subject_id,
     part, description)
  overriding system value
  select t.transaction_id, v_now, v_xid, t.effective_at, t.reverses_transaction_id, t.kind, t.subject_type,
         t.subject_id, t.part, t.description
    from unnest(p_transaction_ids, v_effective_ats, p_reverses, p_kinds, p_subject_types, p_subject_ids,
                p_parts, p_descriptions)
         as t (transaction_id, effective_at, reverses_transaction_id, kind, subject_type, subject_id, part,
               description);

  with entries as materialized (
    select e.position, e.account_position,
           p_transaction_ids[e.transaction_position] as transaction_id, e.amount_minor,
           v_effective_ats[e.transaction_position] as effective_at,
           v_versions[e.account_position] + row_number() over running as account_version,
           v_balances[e.account_position] + sum(e.amount_minor) over running as balance_after_minor
      from unnest(p_entry_transactions, p_entry_accounts, p_entry_amounts) with ordinality
           as e (transaction_position, account_position, amount_minor, position)
    window running as (partition by e.account_position order by e.position rows unbounded preceding)
  ), written as (
    insert into ledger_entries
      (account_id, account_version, transaction_id, amount_minor, balance_after_minor, effective_at)
    select v_account_ids[account_position], account_version, transaction_id, amount_minor,
           balance_after_minor, effective_at
      from entries
     order by position
  )
  select v_account_ids[account_position]
    into v_broken_account_id
    from entries
   where balance_after_minor < v_minimums[account_position]
      or balance_after_minor > v_maximums[account_position]
   limit 1;

  if v_broken_account_id is not null then
    raise exception 'ledger account % would fall below its floor', v_broken_account_id
      using errcode = 'PL001';
  end if;
end
$$;

-- A row that is not there cannot be locked: make it first. Two writers that make the same account
-- meet on its unique key.
create function ledger_make_accounts(
  p_codes text[], p_currencies text[], p_kinds ledger_account_kind[], p_roles ledger_account_role[],
  p_owners text[], p_floors bigint[]
) returns void
language sql as $$
  insert into ledger_accounts (code, currency, kind, role, owner_id, floor_minor)
  select n.code, n.currency, n.kind, n.role, n.owner_id, n.floor_minor
    from unnest(p_codes, p_currencies, p_kinds, p_roles, p_owners, p_floors)
         as n (code, currency, kind, role, owner_id, floor_minor)
   order by n.code collate "C", n.currency collate "C"
  on conflict on constraint ledger_accounts_code_currency_key do nothing
$$;

-- What became of one transaction whose name is in the ledger already: the same one again, or another under
-- the same name. One whose entries were detached is taken for the same.
create function ledger_compare_posted(
  p_transaction_id bigint, p_codes text[], p_currencies text[], p_amounts bigint[]
) returns text
language sql stable as $$
  select case when coalesce(posted.lines = offered.lines, true) then 'already_posted' else 'name_conflict' end
    from (
      select array_agg((a.code, a.currency::text, e.amount_minor)::text
                       order by a.code, a.currency, e.amount_minor) as lines
        from ledger_entries e
        join ledger_accounts a on a.account_id = e.account_id
       where e.transaction_id = p_transaction_id
    ) posted,
    (
      select array_agg((o.code, o.currency, o.amount_minor)::text
                       order by o.code collate "C", o.currency collate "C", o.amount_minor) as lines
        from unnest(p_codes, p_currencies, p_amounts) as o (code, currency, amount_minor)
    ) offered
$$;

-- The transactions that have these names already, in their order; null: none.
create function ledger_find_posted(
  p_kinds ledger_transaction_kind[], p_subject_types ledger_subject_type[], p_subject_ids text[],
  p_parts text[]
) returns bigint[]
language sql stable as $$
  select array_agg(t.transaction_id order by n.position)
    from unnest(p_kinds, p_subject_types, p_subject_ids, p_parts) with ordinality
         as n (kind, subject_type, subject_id, part, position)
    left join ledger_transactions t
      on t.subject_type = n.subject_type and t.subject_id = n.subject_id and t.kind = n.kind
     and t.part = n.part
$$;

-- Decides one transaction alone: posted, already_posted, name_conflict, already_reversed or below_floor.
create function ledger_post_one(
  p_transaction_id bigint, p_kind ledger_transaction_kind, p_subject_type ledger_subject_type,
  p_subject_id text, p_part text, p_effective_at timestamptz, p_description text, p_reverses bigint,
  p_codes text[], p_currencies text[], p_amounts bigint[]
) returns text
language plpgsql as $$
declare
  v_posted_id bigint := (
    ledger_find_posted(array[p_kind], array[p_subject_type], array[p_subject_id], array[p_part]))[1];
  v_account_codes text[];
  v_account_currencies text[];
  v_entry_accounts int[];
  v_constraint text;
begin
  if v_posted_id is not null then
    return ledger_compare_posted(v_posted_id, p_codes, p_currencies, p_amounts);
  end if;

  select array_agg(d.code order by d.rank), array_agg(d.currency order by d.rank)
    into v_account_codes, v_account_currencies
    from (select distinct e.code, e.currency,
                 dense_rank() over (order by e.code collate "C", e.currency collate "C") as rank
            from unnest(p_codes, p_currencies) as e (code, currency)) d;
  select array_agg(e.rank order by e.position)
    into v_entry_accounts
    from (select position, dense_rank() over (order by code collate "C", currency collate "C")::int as rank
            from unnest(p_codes, p_currencies) with ordinality as o (code, currency, position)) e;

  perform ledger_write_batch(
    v_account_codes, v_account_currencies, array[p_transaction_id], array[p_kind], array[p_subject_type],
    array[p_subject_id], array[p_part], array[p_effective_at], array[p_description], array[p_reverses],
    array_fill(1, array[cardinality(p_amounts)]), v_entry_accounts, p_amounts);
  return 'posted';
exception
  when sqlstate 'PL001' then
    return 'below_floor';
  when unique_violation then
    get stacked diagnostics v_constraint = constraint_name;
    case v_constraint
      when 'ledger_transactions_name_key' then
        v_posted_id :=
          (ledger_find_posted(array[p_kind], array[p_subject_type], array[p_subject_id], array[p_part]))[1];
        return ledger_compare_posted(v_posted_id, p_codes, p_currencies, p_amounts);
      when 'ledger_transactions_reverses_key' then
        return 'already_reversed';
      else
        raise;
    end case;
  when check_violation then
    get stacked diagnostics v_constraint = constraint_name;
    if v_constraint = 'ledger_accounts_floor_check' then
      return 'below_floor';
    end if;
    raise;
end
$$;

-- The longer way: the batch's accounts are locked in their order, then each transaction is decided
-- alone, in the order of the batch, so that one refusal leaves its neighbours standing.
create function ledger_post_one_by_one(
  p_account_codes text[], p_account_currencies text[],
  p_transaction_ids bigint[], p_kinds ledger_transaction_kind[], p_subject_types ledger_subject_type[],
  p_subject_ids text[], p_parts text[], p_effective_ats timestamptz[], p_descriptions text[],
  p_reverses bigint[],
  p_entry_transactions int[], p_entry_accounts int[], p_entry_amounts bigint[]
) returns text[]
language plpgsql as $$
declare
  v_outcomes text[] := '{}';
  v_first int := 1;
  v_last int;
begin
  perform 1
     from unnest(p_account_codes, p_account_currencies) as n (code, currency)
     join ledger_accounts a on a.code = n.code and a.currency = n.currency
    order by a.code collate "C", a.currency collate "C"
      for no key update of a;

  for v_position in 1 .. cardinality(p_kinds) loop
    v_last := v_first;
    while p_entry_transactions[v_last + 1] = v_position loop
      v_last := v_last + 1;
    end loop;
    v_outcomes[v_position] := ledger_post_one(
      p_transaction_ids[v_position], p_kinds[v_position], p_subject_types[v_position],
      p_subject_ids[v_position], p_parts[v_position], p_effective_ats[v_position],
      p_descriptions[v_position], p_reverses[v_position],
      (select array_agg(p_account_codes[account_position] order by n)
         from unnest(p_entry_accounts[v_first:v_last]) with ordinality as e (account_position, n)),
      (select array_agg(p_account_currencies[account_position] order by n)
         from unnest(p_entry_accounts[v_first:v_last]) with ordinality as e (account_position, n)),
      p_entry_amounts[v_first:v_last]);
    v_first := v_last + 1;
  end loop;
  return v_outcomes;
end
$$;

-- The door. It runs as the owner, so `pg_temp` comes last in its search path: if unnamed, it would come
-- first, and a caller's temporary table could replace the ledger's, with a trigger that runs as the owner
-- too. Entries stand in the order of their transactions; every named account has an entry. Gives a row for
-- each transaction, in order; only 'posted' ones were written.
create function ledger_post(
  p_account_codes text[], p_account_currencies text[], p_account_kinds ledger_account_kind[],
  p_account_roles ledger_account_role[], p_account_owners text[], p_account_floors bigint[],
  p_kinds ledger_transaction_kind[], p_subject_types ledger_subject_type[], p_subject_ids text[],
  p_parts text[], p_effective_ats timestamptz[], p_descriptions text[], p_reverses bigint[],
  p_entry_transactions int[], p_entry_accounts int[], p_entry_amounts bigint[]
) returns table (transaction_id bigint, outcome text)
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
  v_transaction_ids bigint[];
  v_outcomes text[];
  v_is_written boolean := false;
begin
  -- A transaction has its xid before it draws a number (0002_ticks).
  perform current_xid();
  select array_agg(nextval('ledger_transactions_transaction_id_seq'))
    into v_transaction_ids
    from generate_series(1, cardinality(p_kinds));

  for v_try in 1 .. 2 loop
    begin
      perform ledger_write_batch(
        p_account_codes, p_account_currencies, v_transaction_ids, p_kinds, p_subject_types, p_subject_ids,
        p_parts, p_effective_ats, p_descriptions, p_reverses, p_entry_transactions, p_entry_accounts,
        p_entry_amounts);
      v_is_written := true;
    exception
      when sqlstate 'PL004' then
        perform ledger_make_accounts(
          p_account_codes, p_account_currencies, p_account_kinds, p_account_roles, p_account_owners,
          p_account_floors);
      when sqlstate 'PL001' or unique_violation or check_violation then
        perform ledger_make_accounts(
          p_account_codes, p_account_currencies, p_account_kinds, p_account_roles, p_account_owners,
          p_account_floors);
        v_outcomes := ledger_post_one_by_one(
          p_account_codes, p_account_currencies, v_transaction_ids, p_kinds, p_subject_types, p_subject_ids,
          p_parts, p_effective_ats, p_descriptions, p_reverses, p_entry_transactions, p_entry_accounts,
          p_entry_amounts);
    end;
    exit when v_is_written or v_outcomes is not null;
  end loop;

  if v_is_written then
    return query select id, 'posted' from unnest(v_transaction_ids) as id;
  else
    return query
      select case when o.outcome = 'posted' then o.id else o.posted_id end, o.outcome
        from unnest(v_transaction_ids, v_outcomes,
                    ledger_find_posted(p_kinds, p_subject_types, p_subject_ids, p_parts))
             as o (id, outcome, posted_id);
  end if;
end
$$;

revoke execute on all functions in schema public from public;
grant execute on function ledger_post(
  text[], text[], ledger_account_kind[], ledger_account_role[], text[], bigint[],
  ledger_transaction_kind[], ledger_subject_type[], text[], text[], timestamptz[], text[], bigint[],
  int[], int[], bigint[]
) to pacioli_service;
