-- Up Migration

-- The double-entry ledger. The service's role can read all of it and write none of it:
-- `ledger_post` is the only way in, and the triggers refuse the rest even to the owner.

create type ledger_account_kind as enum ('asset', 'liability', 'revenue', 'expense', 'equity');
-- What an account is for: one role for each line of the chart (src/ledger/chart.ts). `other`: an account
-- outside of the chart.
create type ledger_account_role as enum (
  'psp_clearing', 'psp_authorized', 'authorizations', 'psp_fees', 'bank', 'seller_pending',
  'seller_available', 'seller_reserved', 'seller_debt', 'payouts_in_transit', 'platform_commission',
  'disputes', 'losses', 'suspense', 'fx', 'other'
);
-- What a transaction is, and what it is about.
create type ledger_transaction_kind as enum (
  'authorized', 'captured', 'released', 'reversed', 'refunded', 'adjusted'
);
create type ledger_subject_type as enum ('order', 'adjustment');

-- The alphabet of ids that clients choose, the same as in src/http/client-id.ts: 1 to 255 bytes, no control,
-- invisible or text-direction characters, no space but U+0020 and none at either end. Takes 0.2 µs.
create function is_client_id(p_id text) returns boolean
language sql immutable parallel safe as $$
  select octet_length(p_id) between 1 and 255
     and p_id !~ ('^ | $|^[.]{1,2}$|[\u0001-\u001f\u007f-\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u180e'
                  '\u2000-\u200f\u2028-\u202f\u205f-\u206f'
                  '\u3000\u3164\ufeff\uffa0\ufff0-\uffff\U000e0000-\U000e0fff]')
$$;

-- A domain is checked when a value enters, not at every update of a row that holds one. As a table's check
-- the function above took 7 µs for each column of each updating statement.
create domain client_id as text check (is_client_id(value));
create domain currency_code as text collate "C" check (value ~ '^[A-Z]{3}$');

create table ledger_accounts (
  account_id bigint generated always as identity primary key,
  balance_minor bigint not null default 0,
  version bigint not null default 0,
  -- The lowest balance in the account's normal direction; null: no limit.
  floor_minor bigint,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  kind ledger_account_kind not null,
  role ledger_account_role not null,
  currency currency_code not null,
  code text collate "C" not null check (length(code) between 1 and 400),
  owner_id client_id collate "C",
  constraint ledger_accounts_code_currency_key unique (code, currency),
  -- The floor once more, for whoever writes past the function.
  constraint ledger_accounts_floor_check check (
    floor_minor is null
    or case when kind in ('asset', 'expense') then balance_minor else -balance_minor end >= floor_minor
  )
-- Room for the new version of a hot row on its own page, so that no index is touched by a posting.
) with (fillfactor = 50);

-- For lists of an owner or of a currency. Postings change none of these columns, so the indexes cost them
-- nothing.
create index ledger_accounts_owner_index on ledger_accounts (owner_id, account_id) where owner_id is not null;
-- Every account has a positive id. The condition keeps the index to queries that state it too: on tables
-- without statistics a posting looked up each of its accounts here, among all accounts of the currency.
create index ledger_accounts_currency_index on ledger_accounts (currency, account_id) where account_id > 0;

-- The owners of accounts in the order of their creation: one row for all currencies (empty), and one for each
-- currency. Lists of wallets walk it; grouping the accounts by owner would read all of them for one page.
create table ledger_owners (
  place bigint generated always as identity,
  owner_id text collate "C" not null,
  currency text collate "C" not null,
  primary key (owner_id, currency)
);

create unique index ledger_owners_place_index on ledger_owners (currency, place);

create function ledger_add_owners() returns trigger
language plpgsql set search_path = pg_catalog, public, pg_temp as $$
begin
  insert into ledger_owners (owner_id, currency)
  select n.owner_id, c.currency
    from new_accounts n
    cross join lateral (values (''), (n.currency::text)) as c (currency)
   where n.owner_id is not null
   group by n.owner_id, c.currency
   order by min(n.account_id), n.owner_id, c.currency
      on conflict do nothing;
  return null;
end
$$;

create trigger ledger_accounts_owners after insert on ledger_accounts
  referencing new table as new_accounts
  for each statement execute function ledger_add_owners();

create table ledger_transactions (
  transaction_id bigint generated always as identity primary key with (fillfactor = 100),
  created_at timestamptz not null,
  -- The database transaction that wrote it (0002_ticks).
  xid bigint not null,
  -- When it happened, where that differs from when it was written; null: at created_at.
  effective_at timestamptz,
  reverses_transaction_id bigint references ledger_transactions,
  kind ledger_transaction_kind not null,
  subject_type ledger_subject_type not null,
  subject_id text collate "C" not null check (length(subject_id) between 1 and 255),
  -- Which of several transactions of one kind about one subject; empty: the only one.
  part text collate "C" not null check (length(part) <= 64),
  description text check (length(description) between 1 and 500),
  -- What it is names it for ever: nothing is booked twice.
  constraint ledger_transactions_name_key unique (subject_type, subject_id, kind, part)
);

create unique index ledger_transactions_reverses_key
  on ledger_transactions (reverses_transaction_id) where reverses_transaction_id is not null;

-- An entry is named by its account and that account's version after it. Its transaction and its
-- account are checked by the statement trigger below, in one pass for the whole batch: row-level
-- foreign keys on this table halve the posting rate (18,500 to 9,800 transfers/s in batches of 1,000).
-- Partitioned, so that old entries can leave: a partition holds the entries of a range of transactions. That
-- an account has each version once is an index of each partition; over all of them it follows from the
-- account's row, which gives the next version under its lock.
create table ledger_entries (
  account_id bigint not null,
  account_version bigint not null check (account_version > 0),
  transaction_id bigint not null,
  -- Debit positive, credit negative.
  amount_minor bigint not null check (amount_minor <> 0),
  balance_after_minor bigint not null,
  -- As of its transaction: null where it happened when it was written. Here for its index.
  effective_at timestamptz
) partition by range (transaction_id);

create index ledger_entries_transaction_index on ledger_entries (transaction_id) with (fillfactor = 100);
-- For balances by when things happened: few entries happened at another time.
create index ledger_entries_effective_at_index on ledger_entries (account_id, effective_at)
  where effective_at is not null;
create index ledger_entries_effective_version_index on ledger_entries (account_id, account_version)
  where effective_at is not null;

-- Periods that are closed: after the commit of its row no transaction takes effect before `until`.
create table ledger_closed_periods (
  until timestamptz primary key,
  -- Postings of database transactions that began before it may still be under way.
  xid bigint not null default current_xid(),
  closed_by text not null check (length(closed_by) between 1 and 255),
  created_at timestamptz not null default clock_timestamp()
);

-- Which transactions' entries are in which partition. One that is detached keeps its row.
create table ledger_entry_partitions (
  from_transaction_id bigint primary key,
  -- The first that is not in it.
  until_transaction_id bigint not null unique,
  -- When its entries left, and the tick up to which only closings tell what they came to.
  detached_at timestamptz,
  detached_tick bigint references ticks,
  constraint ledger_entry_partitions_range_check check (from_transaction_id < until_transaction_id),
  constraint ledger_entry_partitions_detached_check check ((detached_at is null) = (detached_tick is null))
);

-- What may credit a seller: `verify` reports every other credit, because it would be paid out. A new kind of
-- transaction that does so adds its rows here.
create table ledger_seller_credits (
  kind ledger_transaction_kind not null,
  role ledger_account_role not null check (role in ('seller_pending', 'seller_available', 'seller_reserved')),
  primary key (kind, role)
);

-- The ledger compares a reversal with what it reverses.
insert into ledger_seller_credits (kind, role) values
  ('captured', 'seller_pending'),
  ('reversed', 'seller_pending'),
  ('reversed', 'seller_available'),
  ('reversed', 'seller_reserved');

create function ledger_refuse_change() returns trigger
language plpgsql set search_path = pg_catalog, public, pg_temp as $$
begin
  raise exception 'ledger history cannot be changed: % of % refused; correct it with a reversal',
    tg_op, tg_table_name using errcode = 'PL002';
end
$$;

create trigger ledger_transactions_append_only before update or delete or truncate on ledger_transactions
  for each statement execute function ledger_refuse_change();
create trigger ledger_closed_periods_append_only
  before update or delete or truncate on ledger_closed_periods
  for each statement execute function ledger_refuse_change();
create trigger ledger_accounts_kept before delete or truncate on ledger_accounts
  for each statement execute function ledger_refuse_change();

create function ledger_check_entries() returns trigger
language plpgsql set search_path = pg_catalog, public, pg_temp
-- The new rows are few and the tables are large: always look up by key, whatever the statistics say.
set plan_cache_mode = force_generic_plan
set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off
as $$
declare
  v_faulty record;
begin
  select e.transaction_id, e.currency, e.difference_minor, e.unknown_accounts,
         t.transaction_id is null as is_unknown
    into v_faulty
    from (
      select n.transaction_id, a.currency, sum(n.amount_minor) as difference_minor,
             count(*) - count(a.account_id) as unknown_accounts
        from new_entries n
        left join ledger_accounts a on a.account_id = n.account_id
       group by n.transaction_id, a.currency
    ) e
    left join ledger_transactions t on t.transaction_id = e.transaction_id
   where e.difference_minor <> 0 or e.unknown_accounts > 0 or t.transaction_id is null
   limit 1;
  if found then
    raise exception 'unbalanced ledger transaction %', v_faulty.transaction_id
      using errcode = 'PL003',
            detail = format(
              'its entries in %s sum to %s; entries of unknown accounts: %s; transaction row missing: %s',
              coalesce(v_faulty.currency, '?'), v_faulty.difference_minor, v_faulty.unknown_accounts,
              v_faulty.is_unknown);
  end if;
  return null;
end
$$;

-- The triggers of a table of entries. A statement fires those of the table that it names, so the partitions
-- need them as well.
create function ledger_guard_entries(p_table name) returns void
language plpgsql as $$
begin
  execute format(
    'create trigger ledger_entries_append_only before update or delete or truncate on %I
       for each statement execute function ledger_refuse_change()', p_table);
  execute format(
    'create trigger ledger_entries_balanced after insert on %I referencing new table as new_entries
       for each statement execute function ledger_check_entries()', p_table);
end
$$;

select ledger_guard_entries('ledger_entries');

-- Makes the partition for the transactions after those of the last one. It is attached, not made in place:
-- that would wait for every posting and stop all others.
create function ledger_add_partition(p_transaction_count bigint) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
  v_from bigint;
  v_name name;
begin
  -- Numbers that were skipped, as for those of another cluster, need no partition.
  select greatest(max(p.until_transaction_id), s.last_value) into v_from
    from ledger_transactions_transaction_id_seq s
    left join ledger_entry_partitions p on true
   group by s.last_value;
  v_name := 'ledger_entries_' || v_from;
  execute format('create table public.%I (like ledger_entries including constraints)', v_name);
  execute format(
    'create unique index %I on %I (account_id, account_version)', v_name || '_version_key', v_name);
  perform ledger_guard_entries(v_name);
  execute format(
    'alter table ledger_entries attach partition %I for values from (%s) to (%s)',
    v_name, v_from, v_from + p_transaction_count);
  insert into ledger_entry_partitions (from_transaction_id, until_transaction_id)
  values (v_from, v_from + p_transaction_count);
end
$$;

-- 16 million transactions are about 5 GB of entries: sixteen days of a million payments.
select ledger_add_partition(16777216);
select ledger_add_partition(16777216);

grant select on
  ledger_accounts, ledger_owners, ledger_transactions, ledger_entries, ledger_entry_partitions,
  ledger_seller_credits, ledger_closed_periods
to pacioli_service;
revoke execute on all functions in schema public from public;
grant execute on function
  is_client_id(text)
to pacioli_service;
