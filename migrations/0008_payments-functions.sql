-- Up Migration

-- The set-based steps of a payment. They are functions so that their plans are kept, and go by
-- key whatever the statistics of a growing table say: as plain statements, planned anew for each
-- batch, they took 6 to 8 ms for a handful of orders. They run with the caller's rights.

-- The turn of a call about a request that was sent before. The key is used again while the PSP is certain to
-- remember it and has no server error stored under it. After that the PSP is only asked; "nothing there" is
-- believed once nothing was sent for the quiet time, because a PSP may carry a request out later that it
-- answered with a server error.
create function payments_turn(
  p_key_sent_at timestamptz, p_sent_at timestamptz, p_has_stored_failure boolean, p_key_seconds double precision, p_quiet_seconds double precision
) returns text language sql stable as $$
  select case
    when not p_has_stored_failure and p_key_sent_at > now() - p_key_seconds * interval '1 second' then 'ask_then_send'
    when p_sent_at < now() - p_quiet_seconds * interval '1 second' then 'ask_for_proof'
    else 'ask_only'
  end
$$;

-- Whether a PSP has reported money of this order that is not in our books, and nobody has dealt with it yet:
-- then nothing more is sent, because the buyer might pay twice. Without an order: any order of the checkout.
create function payments_has_discrepancy(p_checkout_id text, p_order_id text) returns boolean
language plpgsql stable
set plan_cache_mode = force_generic_plan
set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off
as $$
begin
  return exists (
    select from payment_orders o
      join dead_letters d on d.queue = 'payment_execute' and d.subject_id = o.payment_order_id
     where o.checkout_id = p_checkout_id and (p_order_id is null or o.payment_order_id = p_order_id)
       and d.state = 'waiting' and d.kind = 'discrepancy');
end
$$;

-- Which of these checkouts and orders exist already, with what tells whose they are. `p_at` comes back in the form that
-- a stored time has, so that the first answer is the one that is rebuilt from the rows.
create function payments_known(
  p_checkout_ids text[], p_order_ids text[], p_at timestamptz, out created_at timestamptz, out events json, out orders json
)
language plpgsql stable
set plan_cache_mode = force_generic_plan
set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off
as $$
begin
  created_at := p_at;
  select json_agg(json_build_object('checkout_id', e.checkout_id, 'request_fingerprint', encode(e.request_fingerprint, 'hex')))
    into events
    from payment_events e where e.checkout_id = any (p_checkout_ids);
  select json_agg(json_build_object('payment_order_id', o.payment_order_id, 'checkout_id', o.checkout_id))
    into orders
    from payment_orders o where o.payment_order_id = any (p_order_ids);
end
$$;

-- Which of these buyers, e-mail addresses and sellers are blocked, as `kind value`.
create function risk_blocked(p_buyer_accounts text[], p_buyer_emails text[], p_seller_accounts text[])
returns table (fact text)
language plpgsql stable
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
begin
  return query
  select b.kind || ' ' || b.value
    from risk_block_list b
   where (b.kind = 'buyer_account' and b.value = any (p_buyer_accounts))
      or (b.kind = 'buyer_email' and b.value = any (p_buyer_emails))
      or (b.kind = 'seller_account' and b.value = any (p_seller_accounts));
end
$$;

-- 1. Stores checkouts, their orders, their events, and the attempts of the orders that start at once.
-- They are created at `p_at`, the business time. A row that another transaction stored first is a unique violation.
create function payments_take_checkouts(p_events json, p_orders json, p_attempts json, p_at timestamptz) returns void
language plpgsql
set plan_cache_mode = force_generic_plan
as $$
begin
  insert into payment_events (checkout_id, buyer_info, seller_info, credit_card_info, hosted_page, external, unfinished_order_count,
                              request_fingerprint, risk_decision, risk_reasons, created_at)
  select checkout_id, buyer_info, seller_info, credit_card_info, hosted_page, external, unfinished_order_count,
         decode(request_fingerprint, 'hex'), risk_decision, risk_reasons, p_at
    from json_to_recordset(p_events)
         as e (checkout_id text, buyer_info jsonb, seller_info jsonb, credit_card_info jsonb, hosted_page jsonb, external jsonb, unfinished_order_count integer,
               request_fingerprint text, risk_decision risk_decision, risk_reasons text[]);

  insert into checkout_events (type, checkout_id, data)
  select 'checkout.created', e.checkout_id, jsonb_build_object('risk_decision', e.risk_decision)
    from json_to_recordset(p_events) as e (checkout_id text, risk_decision text);

  insert into payment_orders (payment_order_id, checkout_id, position, buyer_account, seller_account, amount_minor, currency,
                              capture_method, status, status_cause, status_actor, created_by, attempt_id, psp_nonce, error_code, error_message, created_at)
  select payment_order_id, checkout_id, position, buyer_account, seller_account, amount_minor, currency,
         capture_method, status, status_cause, status_actor, created_by, attempt_id, attempt_id, error_code, error_message, p_at
    from json_to_recordset(p_orders)
         as o (payment_order_id text, checkout_id text, position smallint, buyer_account text, seller_account text,
               amount_minor bigint, currency text, capture_method capture_method, status payment_order_status, status_cause text, status_actor text,
               created_by text, attempt_id text, error_code text, error_message text);

  insert into payment_attempts (attempt_id, checkout_id, payment_order_id, attempt_number, psp, amount_minor, currency, capture_method, page_expires_at)
  select attempt_id, checkout_id, payment_order_id, attempt_number, psp, amount_minor, currency, capture_method, page_expires_at
    from json_to_recordset(p_attempts)
         as a (attempt_id text, checkout_id text, payment_order_id text, attempt_number integer, psp text, amount_minor bigint, currency text,
               capture_method capture_method, page_expires_at timestamptz);
end
$$;

-- 2. Locks orders in key order and gives what their execution needs: state, open attempt, how many
-- attempts there were, the card token, and whether a discrepancy stops new attempts.
create function payments_lock_for_execution(p_order_ids text[])
returns table (
  payment_order_id text, checkout_id text, status payment_order_status, amount_minor bigint, currency text,
  capture_method capture_method, card_token text, return_url text, hosted_page jsonb, external_psp text, card_country text, tried_psps text[], attempt_count integer, open_attempt_id text,
  has_discrepancy boolean
)
language plpgsql
set plan_cache_mode = force_generic_plan
set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off
as $$
begin
  -- A statement of its own, so that the next one reads the rows as they are under the locks. An order of a
  -- page locks its whole checkout in the same pass: with a second pass two workers could deadlock.
  perform from payment_orders o
    where o.payment_order_id = any (p_order_ids || array(
      select c.payment_order_id::text
        from payment_orders w
        join payment_events e on e.checkout_id = w.checkout_id
        join payment_orders c on c.checkout_id = w.checkout_id
       where w.payment_order_id = any (p_order_ids) and e.hosted_page is not null))
    order by o.payment_order_id for no key update;
  return query
  select o.payment_order_id::text, o.checkout_id::text, o.status, o.amount_minor, o.currency::text,
         o.capture_method, coalesce(o.card_token, e.credit_card_info ->> 'token'),
         e.credit_card_info ->> 'return_url', e.hosted_page, e.external ->> 'psp', e.credit_card_info ->> 'country',
         (select array_agg(distinct a.psp) from payment_attempts a
           where a.payment_order_id = o.payment_order_id and (a.status = 'not_sent' or a.failure_code = 'psp_error')),
         case when e.hosted_page is null
           then (select count(*)::integer from payment_attempts a where a.payment_order_id = o.payment_order_id)
           else (select count(*)::integer from payment_attempts a where a.checkout_id = o.checkout_id and a.payment_order_id is null)
         end,
         coalesce(
           (select a.attempt_id from payment_attempts a
             where a.payment_order_id = o.payment_order_id and a.status in ('executing', 'pending', 'unknown')),
           (select a.attempt_id from payment_attempts a
             where a.checkout_id = o.checkout_id and a.payment_order_id is null and a.status in ('executing', 'pending', 'unknown'))),
         payments_has_discrepancy(o.checkout_id, case when e.hosted_page is null then o.payment_order_id end)
    from payment_orders o
    join payment_events e on e.checkout_id = o.checkout_id
   where o.payment_order_id = any (p_order_ids);
end
$$;

-- 3. Opens attempts, each with its key at the PSP, and moves their orders to EXECUTING.
create function payments_open_attempts(p_attempts json, p_actor text) returns void
language plpgsql
set plan_cache_mode = force_generic_plan
set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off
as $$
begin
  insert into payment_attempts (attempt_id, checkout_id, payment_order_id, attempt_number, psp, amount_minor, currency, capture_method, page_expires_at)
  select n.attempt_id, n.checkout_id, n.payment_order_id, n.attempt_number, n.psp, n.amount_minor, n.currency, n.capture_method, n.page_expires_at
    from json_to_recordset(p_attempts)
         as n (attempt_id text, checkout_id text, payment_order_id text, attempt_number integer, psp text, amount_minor bigint, currency text,
               capture_method capture_method, page_expires_at timestamptz);

  update payment_orders o
     set status = 'EXECUTING', status_cause = 'execution_started', status_actor = p_actor, attempt_id = n.attempt_id,
         psp_nonce = n.attempt_id, updated_at = now(), next_retry_at = null,
         retry_count = o.retry_count + (o.status = 'RETRY_SCHEDULED')::integer,
         last_retry_at = case when o.status = 'RETRY_SCHEDULED' then now() else o.last_retry_at end
    from (
      select a.attempt_id, a.payment_order_id
        from json_to_recordset(p_attempts) as a (attempt_id text, payment_order_id text)
       where a.payment_order_id is not null
      union all
      -- An attempt without an order is a page: it charges every order of its checkout that has not ended.
      select a.attempt_id, c.payment_order_id
        from json_to_recordset(p_attempts) as a (attempt_id text, payment_order_id text, checkout_id text)
        join payment_orders c on c.checkout_id = a.checkout_id
       where a.payment_order_id is null and c.status not in ('AUTHORIZED', 'SUCCESS', 'CANCELED')
    ) n
   where o.payment_order_id = n.payment_order_id;
end
$$;

-- 4. Locks the orders of reports in key order and gives what a decision about each needs: the order, its
-- attempt, and the operation that the report names or, without a name, the one in flight.
create function payments_lock_for_outcomes(p_order_ids text[], p_attempt_ids text[], p_operation_ids text[])
returns table (
  payment_order_id text, checkout_id text, seller_account text, amount_minor bigint, currency text, status payment_order_status, status_cause text,
  captured_minor bigint, capturing_minor bigint, failed_capture_count smallint,
  attempt_id text, attempt_amount_minor bigint, page_token text, psp text, psp_reference text, attempt_status payment_attempt_status, attempt_number integer,
  epoch integer, inquiry_count integer, failure_class text, failure_code text, failure_message text, capture_method capture_method, authorization_ended_as text,
  resolved_as text, resolution_reference text, has_next_action boolean,
  operation_id text, operation_kind text, lane text, unknown_inquiries_max integer, accepted_inquiries_max integer, operation_status operation_status,
  operation_amount_minor bigint, capture_id text, is_final boolean, void_cause text, key_number integer, operation_epoch integer,
  operation_inquiry_count integer,
  operation_psp_reference text, operation_failure_code text
)
language plpgsql
set plan_cache_mode = force_generic_plan
set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off
as $$
begin
  perform from payment_orders o where o.payment_order_id = any (p_order_ids) order by o.payment_order_id for no key update;
  return query
  select o.payment_order_id::text, o.checkout_id::text, o.seller_account::text, o.amount_minor, o.currency::text, o.status, o.status_cause,
         o.captured_minor, o.capturing_minor, o.failed_capture_count,
         a.attempt_id, a.amount_minor, a.page_token, a.psp, a.psp_reference, a.status, a.attempt_number,
         a.epoch, a.inquiry_count, a.failure_class, a.failure_code, a.failure_message, a.capture_method, a.authorization_ended_as,
         a.resolved_as, a.resolution_reference, a.next_action is not null,
         m.operation_id, m.kind, m.lane, k.unknown_inquiries_max, k.accepted_inquiries_max, m.status, m.amount_minor, m.capture_id::text, m.is_final, m.void_cause, m.key_number, m.epoch, m.inquiry_count,
         m.psp_reference, m.failure_code
    from unnest(p_order_ids, p_attempt_ids, p_operation_ids) as n (payment_order_id, attempt_id, operation_id)
    join payment_orders o on o.payment_order_id = n.payment_order_id
    join payment_attempts a on a.attempt_id = n.attempt_id
    left join operations m
      on m.attempt_id = a.attempt_id
     and case when n.operation_id is null then m.status in ('executing', 'pending', 'unknown') and m.lane = 'attempt:' || a.attempt_id
              else m.operation_id = n.operation_id end
    left join operation_kinds k on k.kind = m.kind;
end
$$;

-- 5. Writes the outcome of a batch: attempts, orders, and how many orders of each checkout are left.
-- A checkout whose last order succeeded is done; if a capture fails later, it no longer is. Both are events.
create function payments_write_outcomes(p_outcomes json) returns void
language plpgsql
set plan_cache_mode = force_generic_plan
set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off
as $$
begin
  with outcomes as materialized (
    select * from json_to_recordset(p_outcomes)
      as s (payment_order_id text, attempt_id text, order_status payment_order_status, cause text, actor text,
            captured_minor bigint, attempt_status payment_attempt_status, psp_reference text, failure_class text, error_code text,
            error_message text, paid_change integer, is_inquired boolean, psp_call_ms real, retry_delay_seconds double precision,
            psp_token text, page_token text, page_url text, authorization_expires_at timestamptz, has_stored_failure boolean,
            next_action text, next_action_expires_at timestamptz, keeps_next_action boolean)
  ), attempts as (
    update payment_attempts a
       set status = s.attempt_status, psp_reference = coalesce(s.psp_reference, a.psp_reference),
           inquiry_count = a.inquiry_count + s.is_inquired::integer,
           has_stored_failure = a.has_stored_failure or s.has_stored_failure,
           psp_call_ms = coalesce(s.psp_call_ms, a.psp_call_ms), page_token = coalesce(s.page_token, a.page_token),
           page_url = coalesce(s.page_url, a.page_url),
           authorization_expires_at = coalesce(s.authorization_expires_at, a.authorization_expires_at),
           next_action = case when s.keeps_next_action then a.next_action else s.next_action end,
           -- An action that is told again keeps its first end.
           next_action_expires_at = case when s.keeps_next_action then a.next_action_expires_at
                                         when s.next_action is not null then coalesce(a.next_action_expires_at, s.next_action_expires_at) end,
           failure_class = s.failure_class, failure_code = s.error_code, failure_message = left(s.error_message, 500),
           updated_at = now()
      from outcomes s
     where a.attempt_id = s.attempt_id
  ), orders as (
    update payment_orders o
       set status = s.order_status, status_cause = s.cause, status_actor = s.actor, attempt_id = s.attempt_id,
           psp_token = coalesce(s.psp_token, o.psp_token),
           captured_minor = s.captured_minor,
           failed_capture_count = o.failed_capture_count + (o.status = 'SUCCESS' and s.order_status = 'FAILED')::integer,
           wallet_updated = s.captured_minor > 0, ledger_updated = s.captured_minor > 0,
           error_code = s.error_code, error_message = left(s.error_message, 500),
           next_retry_at = now() + s.retry_delay_seconds * interval '1 second', updated_at = now()
      from outcomes s
     where o.payment_order_id = s.payment_order_id
    returning o.checkout_id, s.paid_change
  ), done as (
    update payment_events e
       set unfinished_order_count = e.unfinished_order_count - c.paid_change,
           is_payment_done = e.unfinished_order_count - c.paid_change = 0,
           updated_at = now()
      from (select checkout_id, sum(paid_change)::integer as paid_change
                from orders where paid_change <> 0 group by checkout_id having sum(paid_change) <> 0 order by checkout_id) c
     where e.checkout_id = c.checkout_id
    returning e.checkout_id, e.is_payment_done, e.unfinished_order_count + c.paid_change = 0 as was_done
  )
  insert into checkout_events (type, checkout_id)
  select case when is_payment_done then 'checkout.completed' else 'checkout.reopened' end, checkout_id
    from done
   where is_payment_done or was_done;
end
$$;

-- 6. Locks operations, and before them the orders that they are about, in key order, and gives what calls
-- about them need. `is_blocked`: another one in the same lane is in flight or comes first.
create function operations_lock(p_operation_ids text[])
returns table (
  operation_id text, kind text, lane text, unknown_inquiries_max integer, accepted_inquiries_max integer, status operation_status, psp text,
  psp_key text, psp_reference text, key_number integer, epoch integer, inquiry_count integer,
  amount_minor bigint, currency text, is_final boolean, void_cause text,
  is_blocked boolean, is_leased boolean, is_due boolean, resolved_as text, resolved_by text, resolution_note text,
  payment_order_id text, captured_minor bigint, attempt_id text, attempt_status payment_attempt_status,
  attempt_amount_minor bigint, attempt_psp_reference text, page_token text
)
language plpgsql
set plan_cache_mode = force_generic_plan
set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off
as $$
begin
  perform from payment_orders o
    where o.payment_order_id in (
      select c.payment_order_id::text
        from operations m
        join payment_attempts a on a.attempt_id = m.attempt_id
        join payment_orders c on c.checkout_id = a.checkout_id
       where m.operation_id = any (p_operation_ids) and (m.payment_order_id is null or m.payment_order_id = c.payment_order_id)
    )
    order by o.payment_order_id for no key update;
  -- Without an order's lock nothing would keep the end of one operation of a lane from the look for the next one.
  perform pg_advisory_xact_lock(hashtextextended(l.lane, 0))
     from (select distinct m.lane from operations m
            where m.operation_id = any (p_operation_ids) and m.attempt_id is null order by m.lane) l;
  perform from operations m where m.operation_id = any (p_operation_ids) order by m.operation_id for no key update;
  return query
  select m.operation_id, m.kind, m.lane, k.unknown_inquiries_max, k.accepted_inquiries_max, m.status, m.psp,
         m.psp_key, m.psp_reference, m.key_number, m.epoch, m.inquiry_count,
         m.amount_minor, m.currency::text, m.is_final, m.void_cause,
         exists (select from operations u
                  where u.lane = m.lane and u.operation_id <> m.operation_id
                    and (u.status in ('executing', 'pending', 'unknown')
                         or u.status = 'queued' and (u.is_final, u.operation_id) < (m.is_final, m.operation_id))),
         coalesce(m.leased_until > now(), false), m.due_at <= now(), m.resolved_as, m.resolved_by, m.resolution_note,
         m.payment_order_id, coalesce(o.captured_minor, 0), a.attempt_id, a.status,
         a.amount_minor, a.psp_reference, a.page_token
    from operations m
    join operation_kinds k on k.kind = m.kind
    left join payment_attempts a on a.attempt_id = m.attempt_id
    left join payment_orders o on o.payment_order_id = m.payment_order_id
   where m.operation_id = any (p_operation_ids)
   order by m.operation_id;
end
$$;

-- 7. Writes what came of operations.
create function operations_write_outcomes(p_outcomes json) returns void
language plpgsql
set plan_cache_mode = force_generic_plan
set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off
as $$
begin
  update operations m
     set status = s.status, psp_reference = coalesce(s.psp_reference, m.psp_reference),
         key_number = m.key_number + s.is_new_key::integer,
         has_stored_failure = not s.is_new_key and (m.has_stored_failure or s.has_stored_failure), inquiry_count = m.inquiry_count + s.is_inquired::integer,
         failure_class = s.failure_class, failure_code = s.failure_code, failure_message = left(s.failure_message, 500),
         leased_until = null, updated_at = now(),
         -- A request under a new key has an outcome of its own, which the resolution is not about.
         resolved_as = case when not s.is_new_key then m.resolved_as end, resolved_by = case when not s.is_new_key then m.resolved_by end,
         resolution_note = case when not s.is_new_key then m.resolution_note end,
         -- A resolution waits for nothing.
         due_at = now() + case when m.resolved_as is null then coalesce(s.retry_delay_seconds, 0) else 0 end * interval '1 second'
    from json_to_recordset(p_outcomes)
         as s (operation_id text, status operation_status, psp_reference text, is_new_key boolean,
               has_stored_failure boolean, is_inquired boolean, failure_class text, failure_code text, failure_message text, retry_delay_seconds double precision)
   where m.operation_id = s.operation_id;
end
$$;

-- 8. Stores the ids that PSPs gave. What an id stands for never changes: those that stand for something else
-- already are given back.
create function psp_references_add(p_references json)
returns table (psp text, reference text, type text, subject_id text, known_subject_id text)
language plpgsql
set plan_cache_mode = force_generic_plan
set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off
as $$
#variable_conflict use_column
declare
  v_added bigint;
begin
  -- In the order of the key, so that processes that store the same ids queue instead of deadlocking. Which are
  -- known is asked first: `on conflict` writes two log records more for each payment. An id that another
  -- process stores at the same moment is a unique violation, after which each report is written alone.
  insert into psp_references (psp, reference, type, subject_id)
  select distinct on (n.psp, n.reference) n.psp, n.reference, n.type, n.subject_id
    from json_to_recordset(p_references) as n (psp text, reference text, type text, subject_id text)
   where not exists (select from psp_references r where r.psp = n.psp and r.reference = n.reference)
   order by n.psp, n.reference;
  get diagnostics v_added = row_count;
  if v_added = json_array_length(p_references) then
    return;
  end if;
  -- A statement of its own sees what another process has committed meanwhile.
  return query
  select n.psp, n.reference, n.type, n.subject_id, r.subject_id
    from json_to_recordset(p_references) as n (psp text, reference text, type text, subject_id text)
    join psp_references r on r.psp = n.psp and r.reference = n.reference
   where r.subject_id <> n.subject_id;
end
$$;

revoke execute on all functions in schema public from public;
grant execute on function
  payments_turn(timestamptz, timestamptz, boolean, double precision, double precision),
  payments_has_discrepancy(text, text),
  payments_known(text[], text[], timestamptz), risk_blocked(text[], text[], text[]),
  payments_take_checkouts(json, json, json, timestamptz), payments_lock_for_execution(text[]), payments_open_attempts(json, text),
  payments_lock_for_outcomes(text[], text[], text[]), payments_write_outcomes(json),
  operations_lock(text[]), operations_write_outcomes(json), psp_references_add(json)
to pacioli_service;
