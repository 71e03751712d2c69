-- Up Migration

-- The set-based steps that write outcomes: functions for the reason in 0022_intake.

-- Locks the orders of reports in key order and gives what a decision about each needs: the order, its
-- attempt, and the operation that the report names or, without a name, the one in flight.
create function payments_lock_for_outcomes(p_order_ids text[], p_attempt_ids text[], p_operation_ids text[])
returns table (
  payment_order_id text, checkout_id text, seller_account text, amount_minor bigint, currency text,
  status payment_order_status, status_cause text, captured_minor bigint, capturing_minor bigint,
  failed_capture_count smallint, commission_rule text, commission_basis_points bigint,
  attempt_id text, attempt_amount_minor bigint, page_token text, psp text, psp_reference text,
  attempt_status payment_attempt_status, attempt_number integer, epoch integer, inquiry_count integer,
  failure_class text, failure_code text, failure_message text, capture_method capture_method,
  authorization_ended_as text, resolved_as text, resolution_reference text, has_next_action boolean,
  operation_id text, operation_kind text, lane text, unknown_inquiries_max integer,
  accepted_inquiries_max integer, operation_status operation_status, operation_amount_minor bigint,
  capture_id text, is_final boolean, void_cause text, key_number integer, operation_epoch integer,
  operation_inquiry_count integer, operation_psp_reference text, operation_failure_code text
)
language plpgsql
set plan_cache_mode = force_generic_plan
set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off
as $$
begin
  perform from payment_orders o
    where o.payment_order_id = any (p_order_ids)
    order by o.payment_order_id for no key update;
  return query
  select o.payment_order_id::text, o.checkout_id::text, o.seller_account::text, o.amount_minor,
         o.currency::text, o.status, o.status_cause, o.captured_minor, o.capturing_minor,
         o.failed_capture_count, o.commission_rule, o.commission_basis_points::bigint,
         a.attempt_id, a.amount_minor, a.page_token, a.psp, a.psp_reference, a.status, a.attempt_number,
         a.epoch, a.inquiry_count, a.failure_class, a.failure_code, a.failure_message, a.capture_method,
         a.authorization_ended_as, a.resolved_as, a.resolution_reference, a.next_action is not null,
         m.operation_id, m.kind, m.lane, k.unknown_inquiries_max, k.accepted_inquiries_max, m.status,
         m.amount_minor, m.capture_id::text, m.is_final, m.void_cause, m.key_number, m.epoch, m.inquiry_count,
         m.psp_reference, m.failure_code
    from unnest(p_order_ids, p_attempt_ids, p_operation_ids) as n (payment_order_id, attempt_id, operation_id)
    join payment_orders o on o.payment_order_id = n.payment_order_id
    join payment_attempts a on a.attempt_id = n.attempt_id
    left join operations m
      on m.attempt_id = a.attempt_id
     and case when n.operation_id is null
              then m.status in ('executing', 'pending', 'unknown') and m.lane = 'attempt:' || a.attempt_id
              else m.operation_id = n.operation_id end
    left join operation_kinds k on k.kind = m.kind;
end
$$;

-- Writes the outcome of a batch: attempts, orders, and how many orders of each checkout are left.
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
            captured_minor bigint, attempt_status payment_attempt_status, psp_reference text,
            failure_class text, error_code text, error_message text, paid_change integer, is_inquired boolean,
            psp_call_ms real, retry_delay_seconds double precision, psp_token text, page_token text,
            page_url text, authorization_expires_at timestamptz, has_stored_failure boolean, next_action text,
            next_action_expires_at timestamptz, keeps_next_action boolean)
  ), attempts as (
    update payment_attempts a
       set status = s.attempt_status, psp_reference = coalesce(s.psp_reference, a.psp_reference),
           inquiry_count = a.inquiry_count + s.is_inquired::integer,
           has_stored_failure = a.has_stored_failure or s.has_stored_failure,
           psp_call_ms = coalesce(s.psp_call_ms, a.psp_call_ms),
           page_token = coalesce(s.page_token, a.page_token), page_url = coalesce(s.page_url, a.page_url),
           authorization_expires_at = coalesce(s.authorization_expires_at, a.authorization_expires_at),
           next_action = case when s.keeps_next_action then a.next_action else s.next_action end,
           -- An action that is told again keeps its first end.
           next_action_expires_at = case
             when s.keeps_next_action then a.next_action_expires_at
             when s.next_action is not null then coalesce(a.next_action_expires_at, s.next_action_expires_at)
           end,
           failure_class = s.failure_class, failure_code = s.error_code,
           failure_message = left(s.error_message, 500),
           updated_at = now()
      from outcomes s
     where a.attempt_id = s.attempt_id
  ), orders as (
    update payment_orders o
       set status = s.order_status, status_cause = s.cause, status_actor = s.actor, attempt_id = s.attempt_id,
           psp_token = coalesce(s.psp_token, o.psp_token),
           captured_minor = s.captured_minor,
           failed_capture_count =
             o.failed_capture_count + (o.status = 'SUCCESS' and s.order_status = 'FAILED')::integer,
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
      from (
        select checkout_id, sum(paid_change)::integer as paid_change
          from orders
         where paid_change <> 0
         group by checkout_id
        having sum(paid_change) <> 0
         order by checkout_id
      ) c
     where e.checkout_id = c.checkout_id
    returning e.checkout_id, e.is_payment_done, e.unfinished_order_count + c.paid_change = 0 as was_done
  )
  insert into events (xid, type, subject_type, subject_id, checkout_id, data)
  select (select current_xid()),
         case when is_payment_done then 'checkout.completed' else 'checkout.reopened' end, 'checkout',
         checkout_id, checkout_id, '{}'
    from done
   where is_payment_done or was_done;
end
$$;

revoke execute on all functions in schema public from public;
grant execute on function
  payments_lock_for_outcomes(text[], text[], text[]),
  payments_write_outcomes(json)
to pacioli_service;
