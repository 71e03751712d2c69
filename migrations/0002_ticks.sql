-- Up Migration

-- Ticks: stored snapshots, by which everybody who follows what is written reads it without missing a late
-- commit, and by which a balance "as of" a time is final. A row that is followed keeps the number of the
-- database transaction that wrote it (`xid`). A tick knows which numbers had committed, so what came between
-- two ticks is fixed for ever, whatever the order of commits was.

-- A database that is restored from a dump may count its transactions from a lower number again. The offset
-- keeps `xid` growing: each epoch begins above all numbers that were written before it.
create table xid_epochs (
  epoch smallint generated always as identity primary key,
  xid_offset bigint not null,
  -- Of the PostgreSQL cluster: another one counts by itself.
  system_identifier bigint not null,
  -- Of this table: one that was restored from a dump is another one, also in the same cluster.
  table_oid oid not null,
  started_at timestamptz not null default clock_timestamp()
);

insert into xid_epochs (xid_offset, system_identifier, table_oid)
select 0, system_identifier, 'xid_epochs'::regclass from pg_control_system();

-- The number of this database transaction, as rows keep it.
create function current_xid() returns bigint
language sql stable as $$
  select pg_current_xact_id()::text::bigint
       + (select xid_offset from xid_epochs order by epoch desc limit 1)
$$;

create table ticks (
  tick bigint generated always as identity primary key,
  taken_at timestamptz not null,
  -- Below it everything had committed or was rolled back; from `next_xid` on nothing had; in between all but
  -- `open_xids`.
  first_open_xid bigint not null,
  next_xid bigint not null,
  open_xids bigint[] not null,
  -- The last numbers drawn for events and for ledger transactions; and up to which numbers every row is in
  -- this tick or was rolled back. So what a tick lacks is found by its number, without an index on xid: one
  -- took 7 % of a posting's time.
  last_event_number bigint not null,
  settled_event_number bigint not null,
  last_transaction_id bigint not null,
  settled_transaction_id bigint not null,
  -- The first tick in its second is kept for ever: "as of" a time is answered by these.
  is_lasting boolean not null
);

create unique index ticks_taken_at_index on ticks (taken_at);
create unique index ticks_lasting_index on ticks (taken_at) where is_lasting;
create index ticks_event_number_index on ticks (last_event_number, tick);

-- Whether a row was there at a tick.
create function is_in_tick(p_xid bigint, p_first_open_xid bigint, p_next_xid bigint, p_open_xids bigint[])
returns boolean
language sql immutable parallel safe as $$
  select p_xid < p_first_open_xid or (p_xid < p_next_xid and p_xid <> all (p_open_xids))
$$;

grant select on ticks, xid_epochs to pacioli_service;
revoke execute on all functions in schema public from public;
grant execute on function
  current_xid(),
  is_in_tick(bigint, bigint, bigint, bigint[])
to pacioli_service;
