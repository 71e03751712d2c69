-- Up Migration

-- The set-based steps that open attempts: functions for the reason in 0022_intake.

-- The undecided dead letter about money of this order that a PSP has reported and that is not in our books;
-- null if there is none. Without an order id it looks at every order of the checkout.
create function payments_discrepancy(p_checkout_id text, p_order_id text) returns text
language plpgsql stable
set plan_cache_mode = force_generic_plan
set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off
as $$
begin
  return (
    select d.dead_letter_id
      from payment_orders o
      join dead_letters d on d.queue = 'payment_execute' and d.subject_id = o.payment_order_id
     where o.checkout_id = p_checkout_id and (p_order_id is null or o.payment_order_id = p_order_id)
       and d.state = 'waiting' and d.kind = 'discrepancy'
     limit 1);
end
$$;

-- Whether there is one: then nothing more is sent, because the buyer might pay twice.
create function payments_has_discrepancy(p_checkout_id text, p_order_id text) returns boolean
language sql stable as $$ select payments_discrepancy(p_checkout_id, p_order_id) is not null $$;

-- Locks orders in key order and gives what their execution needs: state, open attempt, how many
-- attempts there were, the card token, and whether a discrepancy stops new attempts.
create function payments_lock_for_execution(p_order_ids text[])
returns table (
  payment_order_id text, checkout_id text, status payment_order_status, amount_minor bigint, currency text,
  capture_method capture_method, card_token text, return_url text, hosted_page jsonb, external_psp text,
  card_country text, tried_psps text[], attempt_count integer, open_attempt_id text, has_discrepancy boolean
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
         e.credit_card_info ->> 'return_url', e.hosted_page, e.external ->> 'psp',
         e.credit_card_info ->> 'country',
         (select array_agg(distinct a.psp) from payment_attempts a
           where a.payment_order_id = o.payment_order_id
             and (a.status = 'not_sent' or a.failure_code = 'psp_error')),
         case when e.hosted_page is null
           then (select count(*)::integer from payment_attempts a
                  where a.payment_order_id = o.payment_order_id)
           else (select count(*)::integer from payment_attempts a
                  where a.checkout_id = o.checkout_id and a.payment_order_id is null)
         end,
         coalesce(
           (select a.attempt_id from payment_attempts a
             where a.payment_order_id = o.payment_order_id
               and a.status in ('executing', 'pending', 'unknown')),
           (select a.attempt_id from payment_attempts a
             where a.checkout_id = o.checkout_id and a.payment_order_id is null
               and a.status in ('executing', 'pending', 'unknown'))),
         payments_has_discrepancy(o.checkout_id, case when e.hosted_page is null then o.payment_order_id end)
    from payment_orders o
    join payment_events e on e.checkout_id = o.checkout_id
   where o.payment_order_id = any (p_order_ids);
end
$$;

-- Opens attempts, each with its key at the PSP, and moves their orders to EXECUTING.
create function payments_open_attempts(p_attempts json, p_actor text) returns void
language plpgsql
set plan_cache_mode = force_generic_plan
set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off
as $$
begin
  insert into payment_attempts
    (attempt_id, checkout_id, payment_order_id, attempt_number, psp, amount_minor, currency, capture_method,
     page_expires_at)
  select n.attempt_id, n.checkout_id, n.payment_order_id, n.attempt_number, n.psp, n.amount_minor, n.currency,
         n.capture_method, n.page_expires_at
    from json_to_recordset(p_attempts)
         as n (attempt_id text, checkout_id text, payment_order_id text, attempt_number integer, psp text,
               amount_minor bigint, currency text, capture_method capture_method,
               page_expires_at timestamptz);

  update payment_orders o
     set status = 'EXECUTING', status_cause = 'execution_started', status_actor = p_actor,
         attempt_id = n.attempt_id, psp_nonce = n.attempt_id, updated_at = now(), next_retry_at = null,
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

revoke execute on all functions in schema public from public;
grant execute on function
  payments_discrepancy(text, text),
  payments_has_discrepancy(text, text),
  payments_lock_for_execution(text[]),
  payments_open_attempts(json, text)
to pacioli_service;
