-- Everything the simulated PSP remembers. Applied at each start, under an advisory lock:
-- every statement is repeatable.
create schema if not exists simulator;

create table if not exists simulator.payment_intents (
  id text collate "C" primary key,
  version integer not null,
  metadata jsonb not null,
  record json not null
);
create index if not exists payment_intents_metadata
  on simulator.payment_intents using gin (metadata jsonb_path_ops);

create index if not exists payment_intents_authorised
  on simulator.payment_intents (((record ->> 'capture_before')::bigint))
  where record ->> 'status' = 'requires_capture';

create table if not exists simulator.charges (
  id text collate "C" primary key,
  record json not null
);

create table if not exists simulator.checkout_sessions (
  id text collate "C" primary key,
  version integer not null,
  status text not null generated always as (record ->> 'status') stored,
  expires_at bigint not null generated always as ((record ->> 'expires_at')::bigint) stored,
  record json not null
);
create index if not exists checkout_sessions_open
  on simulator.checkout_sessions (expires_at) where status = 'open';

create table if not exists simulator.payment_methods (
  id text collate "C" primary key,
  record json not null
);

-- One row for each request that changed something: its answer under its idempotency key, and the events it
-- caused (`types`; the event ids are this id and a position) with the objects as they were then.
create table if not exists simulator.requests (
  id text collate "C" primary key,
  key text collate "C",
  fingerprint text,
  request_id text not null,
  status integer not null,
  types text[] not null,
  record json not null
);
create unique index if not exists requests_key on simulator.requests (key) where key is not null;

-- The real movements of money: rows are only ever added (a reset empties the whole database).
create table if not exists simulator.effects (
  id bigint generated always as identity primary key,
  kind text not null,
  payment_intent text collate "C" not null,
  charge text collate "C" not null,
  amount_minor bigint not null check (amount_minor > 0),
  currency text not null,
  card text not null,
  metadata jsonb not null,
  created_at timestamptz not null
);
create index if not exists effects_payment_order on simulator.effects ((metadata ->> 'payment_order_id'));
create index if not exists effects_checkout on simulator.effects ((metadata ->> 'checkout_id'));

create table if not exists simulator.once_faults (
  key text collate "C" primary key,
  count integer not null
);

create table if not exists simulator.webhook_endpoints (
  id text collate "C" primary key,
  record json not null
);

-- A new delivery is sent from memory at once; its row becomes due only for a process
-- that did not get that far.
create table if not exists simulator.webhook_deliveries (
  event_id text collate "C" not null,
  endpoint_id text collate "C" not null,
  attempts integer not null default 0,
  next_attempt_at timestamptz not null default now() + interval '5 seconds',
  primary key (event_id, endpoint_id)
);
create index if not exists webhook_deliveries_due on simulator.webhook_deliveries (next_attempt_at);

-- Requests that were answered with a 500 and are carried out later (`due_at` in Unix seconds), with all they
-- will write.
create table if not exists simulator.rolled_forward (
  id text collate "C" primary key,
  due_at double precision not null,
  writes json not null
);
create index if not exists rolled_forward_due on simulator.rolled_forward (due_at);

-- Writes a batch of requests in one transaction. Each row names its operation (its request). An operation is
-- refused as a whole, and only it, when its idempotency key is already stored ('replay') or when the intent
-- or the session it changes has moved on since it was read ('stale'). Returns the refused operations.
drop function if exists simulator.commit_operations(json, json, json, json, json, json, json, json);
drop function if exists simulator.commit_operations(json, json, json, json, json, json, json, json, json);
create or replace function simulator.commit_operations(
  p_requests json, p_intents json, p_charges json, p_effects json, p_deliveries json,
  p_once_faults json, p_payment_methods json, p_endpoints json, p_sessions json, p_rolled_forward json,
  p_rolled_forward_done json
) returns table (operation integer, refusal text)
language plpgsql as $$
declare
  changed record;
  found_version integer;
  stale integer[] := '{}';
  replayed integer[] := '{}';
  refused integer[] := '{}';
begin
  -- Changed intents are locked and compared one by one: a join here could be planned
  -- as a scan of the whole table.
  for changed in
    select r.operation, r.id, r.version from json_to_recordset(p_intents)
      as r(operation integer, id text, version integer)
      where r.version > 1 order by r.id
  loop
    select p.version into found_version from simulator.payment_intents p where p.id = changed.id for update;
    if found_version is distinct from changed.version - 1 then
      stale := stale || changed.operation;
    end if;
  end loop;
  for changed in
    select r.operation, r.id, r.version from json_to_recordset(p_sessions)
      as r(operation integer, id text, version integer)
      where r.version > 1 order by r.id
  loop
    select s.version into found_version from simulator.checkout_sessions s where s.id = changed.id for update;
    if found_version is distinct from changed.version - 1 then
      stale := stale || changed.operation;
    end if;
  end loop;

  if p_requests is not null then
    with wanted as (
      select r.*
        from json_to_recordset(p_requests)
          as r(operation integer, id text, key text, fingerprint text, request_id text, status integer,
            types text[], record json)
        where r.operation <> all (stale)
    ), claimed as (
      insert into simulator.requests (id, key, fingerprint, request_id, status, types, record)
        select w.id, w.key, w.fingerprint, w.request_id, w.status, w.types, w.record
          from wanted w order by w.key
        on conflict (key) where key is not null do nothing
        returning id
    )
    select coalesce(array_agg(w.operation), '{}') into replayed
      from wanted w where w.id not in (select c.id from claimed c);
  end if;

  refused := stale || replayed;

  if p_intents is not null then
    insert into simulator.payment_intents (id, version, metadata, record)
      select r.id, r.version, r.metadata, r.record
        from json_to_recordset(p_intents)
          as r(operation integer, id text, version integer, metadata jsonb, record json)
        where r.operation <> all (refused)
      on conflict (id) do update
        set version = excluded.version, metadata = excluded.metadata, record = excluded.record
        where payment_intents.version = excluded.version - 1;
  end if;
  if p_charges is not null then
    insert into simulator.charges (id, record)
      select r.id, r.record from json_to_recordset(p_charges) as r(operation integer, id text, record json)
        where r.operation <> all (refused)
      on conflict (id) do update set record = excluded.record;
  end if;
  if p_effects is not null then
    insert into simulator.effects
        (kind, payment_intent, charge, amount_minor, currency, card, metadata, created_at)
      select r.kind, r.payment_intent, r.charge, r.amount_minor, r.currency, r.card, r.metadata,
          to_timestamp(r.created_ms / 1000.0)
        from json_to_recordset(p_effects) as r(operation integer, kind text, payment_intent text, charge text,
          amount_minor bigint, currency text, card text, metadata jsonb, created_ms bigint)
        where r.operation <> all (refused);
  end if;
  if p_deliveries is not null then
    insert into simulator.webhook_deliveries (event_id, endpoint_id)
      select r.event_id, r.endpoint_id
        from json_to_recordset(p_deliveries) as r(operation integer, event_id text, endpoint_id text)
        where r.operation <> all (refused);
  end if;
  if p_once_faults is not null then
    insert into simulator.once_faults as f (key, count)
      select r.key, count(*) from json_to_recordset(p_once_faults) as r(operation integer, key text)
        where r.operation <> all (refused) group by r.key order by r.key
      on conflict (key) do update set count = f.count + excluded.count;
  end if;
  if p_payment_methods is not null then
    insert into simulator.payment_methods (id, record)
      select r.id, r.record
        from json_to_recordset(p_payment_methods) as r(operation integer, id text, record json)
        where r.operation <> all (refused);
  end if;
  if p_sessions is not null then
    insert into simulator.checkout_sessions (id, version, record)
      select r.id, r.version, r.record
        from json_to_recordset(p_sessions) as r(operation integer, id text, version integer, record json)
        where r.operation <> all (refused)
      on conflict (id) do update set version = excluded.version, record = excluded.record
        where checkout_sessions.version = excluded.version - 1;
  end if;
  if p_endpoints is not null then
    insert into simulator.webhook_endpoints (id, record)
      select r.id, r.record from json_to_recordset(p_endpoints) as r(operation integer, id text, record json)
        where r.operation <> all (refused)
      on conflict (id) do update set record = excluded.record;
  end if;

  if p_rolled_forward is not null then
    insert into simulator.rolled_forward (id, due_at, writes)
      select r.id, r.due_at, r.writes
        from json_to_recordset(p_rolled_forward)
          as r(operation integer, id text, due_at double precision, writes json)
        where r.operation <> all (refused);
  end if;
  if p_rolled_forward_done is not null then
    delete from simulator.rolled_forward f
      using json_to_recordset(p_rolled_forward_done) as r(operation integer, id text)
      where f.id = r.id and r.operation <> all (refused);
  end if;

  return query
    select s, 'stale' from unnest(stale) s union all select d, 'replay' from unnest(replayed) d;
end
$$;
