-- Up Migration

-- What a buyer has spent on a day (UTC); the row is the lock under which the daily limit is decided.
create table risk_buyer_days (
  buyer_account text not null,
  currency currency_code not null,
  day date not null,
  amount_minor bigint not null check (amount_minor >= 0),
  primary key (buyer_account, currency, day)
);

create table risk_block_list (
  kind text not null check (kind in ('buyer_account', 'buyer_email', 'seller_account')),
  value text not null check (length(value) between 1 and 255),
  reason text not null check (length(reason) between 1 and 500),
  created_by text not null check (length(created_by) between 1 and 255),
  created_at timestamptz not null default now(),
  primary key (kind, value)
);

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

grant select, insert, update on risk_buyer_days to pacioli_service;
grant select, insert, delete on risk_block_list to pacioli_service;
revoke execute on all functions in schema public from public;
grant execute on function
  risk_blocked(text[], text[], text[])
to pacioli_service;
