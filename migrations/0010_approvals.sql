-- Up Migration

-- Changes that one key proposes and another one approves or rejects. The change is stored as the text that is
-- executed, with its hash: an approval covers exactly this text.
create table approvals (
  approval_id text primary key check (length(approval_id) between 1 and 64),
  -- The kind of change; the code executes each kind in its own way.
  kind text collate "C" not null check (kind in ('attempt_resolution')),
  subject_id text collate "C" not null check (length(subject_id) between 1 and 255),
  content text not null check (octet_length(content) between 2 and 8192),
  content_hash bytea not null,
  state text collate "C" not null default 'open' check (state in ('open', 'approved', 'rejected', 'expired')),
  -- `key:<key_id>` or `cli:<user>`; only the command line has no key.
  proposed_by text not null check (length(proposed_by) between 1 and 255),
  proposer_key_id text check (length(proposer_key_id) between 1 and 64),
  decided_by text check (length(decided_by) between 1 and 255),
  approver_key_id text check (length(approver_key_id) between 1 and 64),
  decision_note text check (length(decision_note) between 1 and 500),
  created_at timestamptz not null default now(),
  expires_at timestamptz not null check (expires_at > created_at),
  decided_at timestamptz,
  constraint approvals_hash_check check (content_hash = sha256(convert_to(content, 'UTF8'))),
  constraint approvals_decided_check check ((state = 'open') = (decided_at is null)),
  constraint approvals_in_time_check check (state <> 'approved' or decided_at < expires_at),
  -- Nobody approves what they proposed, and the command line approves nothing.
  constraint approvals_two_keys_check check (
    case state when 'approved'
      then approver_key_id is not null and approver_key_id is distinct from proposer_key_id
      else approver_key_id is null end
  )
);

create unique index approvals_one_open on approvals (kind, subject_id) where state = 'open';
create index approvals_expiry_index on approvals (expires_at) where state = 'open';
create index approvals_created_index on approvals (created_at, approval_id);
create index approvals_state_index on approvals (state, created_at, approval_id);
create index approvals_kind_index on approvals (kind, created_at, approval_id);
create index approvals_kind_state_index on approvals (kind, state, created_at, approval_id);

-- A decision is final, and a proposal never changes.
create function approvals_before_update() returns trigger
language plpgsql set search_path = pg_catalog, public, pg_temp as $$
begin
  if old.state <> 'open' then
    raise exception 'approval % is already %', old.approval_id, old.state using errcode = 'PL002';
  end if;
  if (new.approval_id, new.kind, new.subject_id, new.content, new.proposed_by, new.proposer_key_id,
      new.created_at, new.expires_at)
     is distinct from
     (old.approval_id, old.kind, old.subject_id, old.content, old.proposed_by, old.proposer_key_id,
      old.created_at, old.expires_at) then
    raise exception 'the proposal of approval % cannot be changed', old.approval_id using errcode = 'PL002';
  end if;
  return new;
end
$$;

create trigger approvals_updated before update on approvals
  for each row execute function approvals_before_update();
create trigger approvals_kept before delete or truncate on approvals
  for each statement execute function refuse_history_change();

grant select on approvals to pacioli_service;
grant insert (
  approval_id, kind, subject_id, content, content_hash, proposed_by, proposer_key_id, created_at, expires_at
) on approvals to pacioli_service;
grant update (state, decided_by, approver_key_id, decision_note, decided_at) on approvals to pacioli_service;
revoke execute on all functions in schema public from public;
