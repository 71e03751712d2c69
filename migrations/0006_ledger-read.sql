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

-- The account's last version before a time. Along one account, created_at grows with the version, so
-- it is found by halving: 24 probes for 10 million entries, and no index on the table of entries.
create function ledger_version_before(p_account_id bigint, p_at timestamptz) returns bigint
language plpgsql stable as $$
declare
  v_low bigint := 0;
  v_high bigint;
  v_middle bigint;
  v_is_before boolean;
begin
  select a.version into strict v_high from ledger_accounts a where a.account_id = p_account_id;
  while v_low < v_high loop
    v_middle := (v_low + v_high + 1) / 2;
    select t.created_at < p_at
      into strict v_is_before
      from ledger_entries e
      join ledger_transactions t on t.transaction_id = e.transaction_id
     where e.account_id = p_account_id and e.account_version = v_middle;
    if v_is_before then
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

-- The balance as it was written down at a time.
create function ledger_balance_as_recorded(p_account_id bigint, p_at timestamptz) returns bigint
language sql stable as $$
  select coalesce((
    select e.balance_after_minor
      from ledger_entries e
     where e.account_id = p_account_id
       and e.account_version = ledger_version_before(p_account_id, p_at + interval '1 microsecond')
  ), 0)
$$;

-- The balance by when things happened: the recorded one, less what was written by then but
-- happened later, plus what happened by then but was written later.
create function ledger_balance_as_effective(p_account_id bigint, p_at timestamptz) returns bigint
language sql stable as $$
  select ledger_balance_as_recorded(p_account_id, p_at) + coalesce((
    select sum(case when t.created_at <= p_at then -e.amount_minor else e.amount_minor end)::bigint
      from ledger_transactions t
      join ledger_entries e on e.transaction_id = t.transaction_id
     where e.account_id = p_account_id
       and t.effective_at is not null
       and (t.created_at <= p_at) <> (t.effective_at <= p_at)
  ), 0)
$$;

grant select on ledger_entry_lines to pacioli_service;
revoke execute on all functions in schema public from public;
grant execute on function
  ledger_version_before(bigint, timestamptz),
  ledger_first_transaction_since(timestamptz),
  ledger_balance_as_recorded(bigint, timestamptz),
  ledger_balance_as_effective(bigint, timestamptz)
to pacioli_service;
