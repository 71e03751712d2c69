-- Up Migration

-- Who changed what: every change that a person or an API key makes to existing data or to the configuration,
-- written in the transaction of the change. New payments are not here: they have a history of their own
-- (`payment_order_transitions`, `checkout_events`).
create table audit_log (
  audit_id bigint primary key generated always as identity,
  occurred_at timestamptz not null default clock_timestamp(),
  -- `key:<key_id>` for an API key, `cli:<operating system user>` for the command line.
  actor text collate "C" not null check (length(actor) between 1 and 255),
  -- `<subject>.<verb>`, such as `payment_order.cancel`.
  action text collate "C" not null check (length(action) <= 64 and action ~ '^[a-z_]+\.[a-z_]+$'),
  subject_type text collate "C" not null check (length(subject_type) <= 64 and subject_type ~ '^[a-z_]+$'),
  subject_id text collate "C" not null check (length(subject_id) between 1 and 400),
  -- The fields that the change concerns, before and after it; null where there was or is nothing.
  before jsonb check (octet_length(before::text) <= 8192),
  after jsonb check (octet_length(after::text) <= 8192),
  reason text check (length(reason) between 1 and 1000),
  -- Null for the command line.
  request_id text check (length(request_id) between 1 and 64)
);

-- One index for each filter of the list, in the list's order.
create index audit_log_time_index on audit_log (occurred_at, audit_id);
create index audit_log_actor_index on audit_log (actor, occurred_at, audit_id);
create index audit_log_action_index on audit_log (action, occurred_at, audit_id);
create index audit_log_actor_action_index on audit_log (actor, action, occurred_at, audit_id);
create index audit_log_subject_index on audit_log (subject_type, subject_id, occurred_at, audit_id);

create trigger audit_log_append_only before update or delete or truncate on audit_log
  for each statement execute function refuse_history_change();

-- The service adds rows, but can choose neither their number nor their time.
grant select on audit_log to pacioli_service;
grant insert (actor, action, subject_type, subject_id, before, after, reason, request_id)
  on audit_log to pacioli_service;
