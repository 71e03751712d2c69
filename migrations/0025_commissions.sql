-- Up Migration

-- What the platform took of each capture: one row for each component, with the rule and the rate that made
-- it. A commission of 0 has no row, as it has no entry in the ledger; its rule is the order's. Rows are never
-- changed: a capture that fails gets the same rows with the opposite amounts, so that their sum is always
-- what the ledger holds. `verify` compares both; a foreign key would cost each payment a look-up.
create table commissions (
  payment_order_id text not null,
  -- Null: the order was captured at once.
  operation_id text,
  -- As in the name of the ledger's transaction: earlier captures at once that failed; 0 of an operation.
  failed_capture_count smallint not null check (failed_capture_count >= 0),
  component text not null check (length(component) between 1 and 64),
  rule text not null check (length(rule) between 1 and 64),
  basis_points smallint not null check (basis_points between 0 and 10000),
  amount_minor bigint not null,
  currency currency_code not null,
  is_reversal boolean not null,
  constraint commissions_amount_check check (amount_minor <> 0 and (amount_minor < 0) = is_reversal),
  constraint commissions_capture_check check (operation_id is null or failed_capture_count = 0)
);

-- One commission of each component and capture, reversed at most once.
create unique index commissions_capture_index
  on commissions (payment_order_id, operation_id, failed_capture_count, component, is_reversal)
  nulls not distinct;

create trigger commissions_append_only before update or delete or truncate on commissions
  for each statement execute function refuse_history_change();

-- Stores the commissions of captures: a function for the reason in 0022_intake.
create function commissions_add(p_commissions json) returns void
language plpgsql
set plan_cache_mode = force_generic_plan
set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off
as $$
begin
  insert into commissions
    (payment_order_id, operation_id, failed_capture_count, component, rule, basis_points, amount_minor,
     currency, is_reversal)
  select payment_order_id, operation_id, failed_capture_count, component, rule, basis_points, amount_minor,
         currency, false
    from json_to_recordset(p_commissions)
         as c (payment_order_id text, operation_id text, failed_capture_count smallint, component text,
               rule text, basis_points smallint, amount_minor bigint, currency text);
end
$$;

-- Takes back the commissions of captures that failed: the same rows with the opposite amounts.
create function commissions_reverse(p_captures json) returns void
language plpgsql
set plan_cache_mode = force_generic_plan
set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off
as $$
begin
  insert into commissions
    (payment_order_id, operation_id, failed_capture_count, component, rule, basis_points, amount_minor,
     currency, is_reversal)
  select c.payment_order_id, c.operation_id, c.failed_capture_count, c.component, c.rule, c.basis_points,
         -c.amount_minor, c.currency, true
    from json_to_recordset(p_captures)
         as r (payment_order_id text, operation_id text, failed_capture_count smallint)
    join commissions c
      on c.payment_order_id = r.payment_order_id
     and c.operation_id is not distinct from r.operation_id
     and c.failed_capture_count = r.failed_capture_count
   where not c.is_reversal;
end
$$;

grant select, insert on commissions to pacioli_service;
revoke execute on all functions in schema public from public;
grant execute on function
  commissions_add(json),
  commissions_reverse(json)
to pacioli_service;
