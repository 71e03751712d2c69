-- What the simulated Adyen remembers; applied after ../schema.sql, whose `effects` and `once_faults` it shares.

-- The answer to each request that was executed under an idempotency key. `json`, not `jsonb`: a replay is byte for byte.
create table if not exists simulator.adyen_requests (
  key text collate "C" primary key,
  status integer not null,
  answer json not null
);

-- Payments that wait for the buyer are changed once, by /payments/details.
create table if not exists simulator.adyen_payments (
  psp_reference text collate "C" primary key,
  is_pending boolean not null,
  record json not null
);

create table if not exists simulator.adyen_notifications (
  id text collate "C" primary key,
  item json not null,
  attempts integer not null default 0,
  next_attempt_at timestamptz not null default now()
);

-- Writes a batch of requests in one transaction, each with all its effects or not at all. Returns the operations that
-- were refused: their key is already stored, or their payment waits for the buyer no more.
create or replace function simulator.adyen_commit(p_operations json) returns table (refused integer)
language plpgsql as $$
declare
  o record;
begin
  for o in
    select r.* from json_to_recordset(p_operations) as r(operation integer, key text, status integer, answer json,
      psp_reference text, is_new boolean, is_pending boolean, record json, effect json, once_fault text,
      notification_id text, item json) order by r.key
  loop
    if o.psp_reference is not null and not o.is_new then
      update simulator.adyen_payments p set is_pending = o.is_pending, record = o.record
        where p.psp_reference = o.psp_reference and p.is_pending;
      if not found then
        refused := o.operation;
        return next;
        continue;
      end if;
    end if;
    if o.key is not null then
      insert into simulator.adyen_requests (key, status, answer) values (o.key, o.status, o.answer)
        on conflict (key) do nothing;
      if not found then
        refused := o.operation;
        return next;
        continue;
      end if;
    end if;
    if o.psp_reference is not null and o.is_new then
      insert into simulator.adyen_payments (psp_reference, is_pending, record)
        values (o.psp_reference, o.is_pending, o.record);
    end if;
    if o.effect is not null then
      insert into simulator.effects (kind, payment_intent, charge, amount_minor, currency, card, metadata, created_at)
        select e.kind, o.psp_reference, o.psp_reference, e.amount_minor, e.currency, e.card, e.metadata, now()
          from json_to_record(o.effect) as e(kind text, amount_minor bigint, currency text, card text, metadata jsonb);
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
