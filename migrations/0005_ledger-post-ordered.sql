-- Up Migration

-- The other door of the ledger: for transactions with amounts that several accounts bear in a stated order,
-- as a refund is taken from what an order has pending, then from what its seller has available, then from
-- debt. How much each bears is decided under the locks of the accounts, and then posted through
-- `ledger_post`.
--
-- `p_entry_shares`: null for an entry with its own amount; entries of one transaction with the same number
-- share one amount, which stands in `p_entry_amounts` of each. Each takes as much of what is left as its
-- maximum and its account's floor allow. Gives a row for each transaction, in order, with the amount of each
-- of its shared entries; a transaction that its accounts cannot bear is `below_floor`. Transactions without
-- shared amounts, reversals among them, may stand beside the others, so that one call locks the accounts of
-- all.
create function ledger_post_ordered(
  p_account_codes text[], p_account_currencies text[], p_account_kinds ledger_account_kind[],
  p_account_roles ledger_account_role[], p_account_owners text[], p_account_floors bigint[],
  p_kinds ledger_transaction_kind[], p_subject_types ledger_subject_type[], p_subject_ids text[],
  p_parts text[], p_effective_ats timestamptz[], p_descriptions text[], p_reverses bigint[],
  p_entry_transactions int[], p_entry_accounts int[], p_entry_amounts bigint[],
  p_entry_shares int[], p_entry_maximums bigint[]
) returns table (transaction_id bigint, outcome text, shared_amounts bigint[])
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
  v_balances bigint[];
  v_floors bigint[];
  v_signs int[];
  -- The transactions that are in the ledger already.
  v_known bigint[];
  v_amounts bigint[] := p_entry_amounts;
  v_reversed bigint[];
  -- Why a transaction is refused; null: it is not.
  v_refusals text[] := array_fill(null::text, array[cardinality(p_kinds)]);
  v_before bigint[];
  v_left bigint;
  v_share int;
  v_room bigint;
  v_direction int;
  v_account int;
  v_is_refused boolean;
  v_entry int := 1;
begin
  perform ledger_make_accounts(
    p_account_codes, p_account_currencies, p_account_kinds, p_account_roles, p_account_owners,
    p_account_floors);
  select array_agg(l.balance_minor order by l.position), array_agg(l.floor_minor order by l.position),
         array_agg(case when l.kind in ('asset', 'expense') then 1 else -1 end order by l.position)
    into v_balances, v_floors, v_signs
    from (
      select n.position, a.balance_minor, a.floor_minor, a.kind
        from unnest(p_account_codes, p_account_currencies) with ordinality as n (code, currency, position)
        join ledger_accounts a on a.code = n.code and a.currency = n.currency
       order by a.code collate "C", a.currency collate "C"
         for no key update of a
    ) l;
  v_known := ledger_find_posted(p_kinds, p_subject_types, p_subject_ids, p_parts);
  -- Known before anything is divided: what a refused reversal would have moved must not count for its
  -- neighbours.
  select coalesce(array_agg(t.reverses_transaction_id), '{}') into v_reversed
    from ledger_transactions t where t.reverses_transaction_id = any (p_reverses);

  for v_transaction in 1 .. cardinality(p_kinds) loop
    v_before := v_balances;
    v_left := 0;
    v_share := null;
    v_is_refused := false;
    while p_entry_transactions[v_entry] = v_transaction loop
      v_account := p_entry_accounts[v_entry];
      v_direction := case when p_entry_amounts[v_entry] < 0 then -1 else 1 end;
      -- What the account's normal balance can lose before it is at its floor; null: any amount.
      v_room := case when v_direction <> v_signs[v_account] and v_floors[v_account] is not null
                     then greatest(v_signs[v_account] * v_balances[v_account] - v_floors[v_account], 0) end;
      if p_entry_shares[v_entry] is null then
        v_is_refused := v_is_refused or coalesce(abs(p_entry_amounts[v_entry]) > v_room, false);
      else
        if p_entry_shares[v_entry] is distinct from v_share then
          v_is_refused := v_is_refused or v_left > 0;
          v_share := p_entry_shares[v_entry];
          v_left := abs(p_entry_amounts[v_entry]);
        end if;
        v_amounts[v_entry] := v_direction * least(v_left, p_entry_maximums[v_entry], v_room);
        v_left := v_left - abs(v_amounts[v_entry]);
      end if;
      v_balances[v_account] := v_balances[v_account] + v_amounts[v_entry];
      v_entry := v_entry + 1;
    end loop;
    if v_known[v_transaction] is not null then
      v_balances := v_before;
    elsif p_reverses[v_transaction] = any (v_reversed) then
      v_refusals[v_transaction] := 'already_reversed';
      v_balances := v_before;
    elsif v_is_refused or v_left > 0 then
      v_refusals[v_transaction] := 'below_floor';
      v_balances := v_before;
    else
      v_reversed := v_reversed || p_reverses[v_transaction];
    end if;
  end loop;

  return query
  with entries as materialized (
    select e.position, e.transaction_position, e.account_position, e.amount_minor,
           dense_rank() over (order by e.transaction_position)::int as transaction_rank,
           dense_rank() over (order by e.account_position)::int as account_rank
      from unnest(p_entry_transactions, p_entry_accounts, v_amounts) with ordinality
           as e (transaction_position, account_position, amount_minor, position)
     where e.amount_minor <> 0 and v_refusals[e.transaction_position] is null
       and v_known[e.transaction_position] is null
  ), transactions as (
    select distinct transaction_rank as rank, transaction_position as position from entries
  ), accounts as (
    select distinct account_rank as rank, account_position as position from entries
  ), posted as materialized (
    select t.position, p.transaction_id, p.outcome
      from ledger_post(
             array(select p_account_codes[a.position] from accounts a order by a.rank),
             array(select p_account_currencies[a.position] from accounts a order by a.rank),
             array(select p_account_kinds[a.position] from accounts a order by a.rank),
             array(select p_account_roles[a.position] from accounts a order by a.rank),
             array(select p_account_owners[a.position] from accounts a order by a.rank),
             array(select p_account_floors[a.position] from accounts a order by a.rank),
             array(select p_kinds[t.position] from transactions t order by t.rank),
             array(select p_subject_types[t.position] from transactions t order by t.rank),
             array(select p_subject_ids[t.position] from transactions t order by t.rank),
             array(select p_parts[t.position] from transactions t order by t.rank),
             array(select p_effective_ats[t.position] from transactions t order by t.rank),
             array(select p_descriptions[t.position] from transactions t order by t.rank),
             array(select p_reverses[t.position] from transactions t order by t.rank),
             array(select e.transaction_rank from entries e order by e.position),
             array(select e.account_rank from entries e order by e.position),
             array(select e.amount_minor from entries e order by e.position)
           ) with ordinality as p (transaction_id, outcome, rank)
      join transactions t on t.rank = p.rank
  )
  select coalesce(p.transaction_id, s.known_id),
         case when v_refusals[s.position] is not null then v_refusals[s.position]
              when s.known_id is not null then ledger_compare_ordered(
                s.known_id, s.position::int, p_account_codes, p_account_currencies,
                p_entry_transactions, p_entry_accounts, p_entry_amounts, p_entry_shares)
              else p.outcome end,
         array(select coalesce(case when v_refusals[s.position] is not null then 0
                                    when s.known_id is null then e.amount_minor
                                    else w.amount_minor end, 0)
                 from unnest(p_entry_transactions, p_entry_accounts, v_amounts, p_entry_shares)
                      with ordinality
                      as e (transaction_position, account_position, amount_minor, share, position)
                 left join ledger_accounts a
                   on a.code = p_account_codes[e.account_position]
                  and a.currency = p_account_currencies[e.account_position]
                 left join ledger_entries w
                   on w.transaction_id = s.known_id and w.account_id = a.account_id
                where e.transaction_position = s.position and e.share is not null
                order by e.position)
    from unnest(v_known) with ordinality as s (known_id, position)
    left join posted p on p.position = s.position
   order by s.position;
end
$$;

-- As `ledger_compare_posted`: a shared amount is the same when its accounts bore it in all.
create function ledger_compare_ordered(
  p_transaction_id bigint, p_position int, p_account_codes text[], p_account_currencies text[],
  p_entry_transactions int[], p_entry_accounts int[], p_entry_amounts bigint[], p_entry_shares int[]
) returns text
language sql stable as $$
  with offered as (
    select p_account_codes[e.account_position] as code, p_account_currencies[e.account_position] as currency,
           e.amount_minor, e.share
      from unnest(p_entry_transactions, p_entry_accounts, p_entry_amounts, p_entry_shares)
           as e (transaction_position, account_position, amount_minor, share)
     where e.transaction_position = p_position
  ), lines as (
    select coalesce(o.share::text, a.code || ' ' || a.currency) as line, sum(e.amount_minor) as amount_minor
      from ledger_entries e
      join ledger_accounts a on a.account_id = e.account_id
      left join offered o on o.code = a.code and o.currency = a.currency
     where e.transaction_id = p_transaction_id
     group by 1
  ), wanted as (
    select coalesce(o.share::text, o.code || ' ' || o.currency) as line,
           case when o.share is null then sum(o.amount_minor) else max(o.amount_minor) end as amount_minor
      from offered o
     group by o.share, coalesce(o.share::text, o.code || ' ' || o.currency)
  )
  select case when exists (select * from lines except select * from wanted)
                or exists (select * from wanted except select * from lines)
              then 'name_conflict' else 'already_posted' end
$$;

revoke execute on all functions in schema public from public;
grant execute on function ledger_post_ordered(
  text[], text[], ledger_account_kind[], ledger_account_role[], text[], bigint[],
  ledger_transaction_kind[], ledger_subject_type[], text[], text[], timestamptz[], text[], bigint[],
  int[], int[], bigint[], int[], bigint[]
) to pacioli_service;
