-- Up Migration

-- Every id that a PSP gave, and the attempt or operation that it belongs to: of one account no id stands for
-- two. `type`: what the id is of, in the PSP's own word.
create table psp_references (
  psp text not null check (length(psp) between 1 and 64),
  reference text not null check (length(reference) between 1 and 255),
  type text not null check (type in (
    'payment_intent', 'charge', 'balance_transaction', 'checkout_session', 'payment', 'capture', 'void',
    'refund', 'dispute', 'payout', 'transfer'
  )),
  subject_id text not null check (
    length(subject_id) <= 64 and (starts_with(subject_id, 'att_') or starts_with(subject_id, 'op_'))
  ),
  created_at timestamptz not null default now(),
  primary key (psp, reference)
);

create index psp_references_subject_index on psp_references (subject_id);

-- Stores the ids that PSPs gave. What an id stands for never changes: those that stand for something else
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
  -- In the order of the key, so that processes that store the same ids queue instead of deadlocking. Which
  -- are known is asked first: `on conflict` writes two log records more for each payment. An id that another
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

grant select, insert on psp_references to pacioli_service;
revoke execute on all functions in schema public from public;
grant execute on function
  psp_references_add(json)
to pacioli_service;
