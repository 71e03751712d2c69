-- What the simulated Adyen remembers; applied after ../schema.sql,
-- whose `effects` and `once_faults` it shares.

-- The answer to each request that was executed under an idempotency key. `json`, not `jsonb`:
-- a replay is byte for byte.
create table if not exists simulator.adyen_requests (
  key text collate "C" primary key,
  status integer not null,
  answer json not null
);

-- `version` is 1 at creation and one more at each change: by /payments/details, by a capture, by a cancel.
create table if not exists simulator.adyen_payments (
  psp_reference text collate "C" primary key,
  version integer not null default 1,
  record json not null
);
alter table simulator.adyen_payments add column if not exists version integer not null default 1;
alter table simulator.adyen_payments drop column if exists is_pending;

create table if not exists simulator.adyen_notifications (
  id text collate "C" primary key,
  item json not null,
  attempts integer not null default 0,
  next_attempt_at timestamptz not null default now()
);

-- Writes a batch of requests in one transaction, each with all its effects or not at all. Returns the
-- operations that were refused: their key is already stored ('replay'), or their payment moved on since it
-- was read ('stale').
drop function if exists simulator.adyen_commit(json);
create or replace function simulator.commit_adyen_operations(p_operations json)
returns table (operation integer, refusal text)
language plpgsql as $$
declare
  o record;
  found_version integer;
begin
  for o in
    select r.*
      from json_to_recordset(p_operations)
        as r(operation integer, key text, status integer, answer json, psp_reference text, version integer,
          record json, effect json, once_fault text, notification_id text, item json)
      order by r.key
  loop
    operation := o.operation;
    if o.version > 1 then
      select p.version into found_version from simulator.adyen_payments p
        where p.psp_reference = o.psp_reference for update;
      if found_version is distinct from o.version - 1 then
        refusal := 'stale';
        return next;
        continue;
      end if;
    end if;
    if o.key is not null then
      insert into simulator.adyen_requests (key, status, answer) values (o.key, o.status, o.answer)
        on conflict (key) do nothing;
      if not found then
        refusal := 'replay';
        return next;
        continue;
      end if;
    end if;
    if o.psp_reference is not null then
      insert into simulator.adyen_payments (psp_reference, version, record)
        values (o.psp_reference, o.version, o.record)
        on conflict (psp_reference) do update set version = excluded.version, record = excluded.record;
    end if;
    if o.effect is not null then
      insert into simulator.effects
          (kind, payment_intent, charge, amount_minor, currency, card, metadata, created_at)
        select e.kind, e.payment_intent, e.charge, e.amount_minor, e.currency, e.card, e.metadata, now()
          from json_to_record(o.effect) as e(kind text, payment_intent text, charge text, amount_minor bigint,
            currency text, card text, metadata jsonb);
    end if;
    if o.once_fault is not null then
      insert into simulator.once_faults as f (key, count) values (o.once_fault, 1)
        on conflict (key) do update set count = f.count + 1;
    end if;
    if o.notification_id is not null then
      insert into simulator.adyen_notifications (id, item) values (o.notification_id, o.item);
    end if;
  end loop;
end
$$;
