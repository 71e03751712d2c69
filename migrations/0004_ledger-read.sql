-- Up Migration

-- Entries as people read them: which account, which transaction, when.
create view ledger_entry_lines as
select e.account_id, e.account_version, e.transaction_id, e.amount_minor, e.balance_after_minor,
       a.code, a.currency::text as currency, a.owner_id, a.kind,
       t.source, t.description, t.created_at, coalesce(t.effective_at, t.created_at) as effective_at
  from ledger_entries e
  join ledger_accounts a on a.account_id = e.account_id
  join ledger_transactions t on t.transaction_id = e.transaction_id;

-- The balance as it was written down at a time. Along one account, created_at grows with the
-- version, so the last entry before that time is found by halving: 24 probes for 10 million entries.
create function ledger_balance_as_recorded(p_account_id bigint, p_at timestamptz) returns bigint
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
    select t.created_at <= p_at
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
  return coalesce(
    (select e.balance_after_minor from ledger_entries e
      where e.account_id = p_account_id and e.account_version = v_low), 0);
end
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

grant select on ledger_accounts, ledger_transactions, ledger_entries, ledger_entry_lines to pacioli_service;
revoke execute on all functions in schema public from public;
grant execute on function
  is_client_id(text),
  ledger_post(text[], text[], ledger_account_kind[], text[], bigint[], text[], timestamptz[], text[], bigint[], int[], int[], bigint[]),
  ledger_balance_as_recorded(bigint, timestamptz),
  ledger_balance_as_effective(bigint, timestamptz)
to pacioli_service;
