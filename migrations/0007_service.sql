-- Up Migration

-- Answers to requests that carried an Idempotency-Key, written with the work they answer.
-- An Idempotency-Key belongs to the API key that sent it: another API key never sees its answer.
create table idempotency_keys (
  key_id text not null check (length(key_id) between 1 and 64),
  idempotency_key text not null check (length(idempotency_key) between 1 and 255),
  fingerprint bytea not null check (length(fingerprint) = 32),
  response_status smallint not null check (response_status between 200 and 499),
  response_body text not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  -- The client's key comes first, because a single API key may have sent all of them.
  primary key (idempotency_key, key_id)
);
create index idempotency_keys_expires_index on idempotency_keys (expires_at);

-- What PSPs told us, kept as the bytes they signed; processed in the transaction that applies it.
create table webhook_inbox (
  message_id text primary key check (length(message_id) between 1 and 64),
  psp text not null check (length(psp) between 1 and 64),
  psp_event_id text not null check (length(psp_event_id) between 1 and 255),
  type text not null check (length(type) between 1 and 128),
  -- The attempt or order it speaks of, where it says so.
  attempt_id text check (length(attempt_id) between 1 and 64),
  payment_order_id text check (length(payment_order_id) between 1 and 255),
  body text not null,
  -- unmatched: names an attempt that is not known yet. unsupported: kept for a later version. rejected:
  -- contradicts the attempt that it names. failed: could not be applied; a person redrives it.
  state text not null default 'received'
    check (state in ('received', 'applied', 'ignored', 'unmatched', 'unsupported', 'rejected', 'failed')),
  note text check (length(note) <= 500),
  received_at timestamptz not null default now(),
  processed_at timestamptz
);
-- One message for each event, except for failed ones: the same event may come again.
create unique index webhook_inbox_event_key on webhook_inbox (psp, psp_event_id) where state <> 'failed';
create index webhook_inbox_open_index on webhook_inbox (received_at) where state in ('received', 'unmatched');
create index webhook_inbox_order_index on webhook_inbox (payment_order_id) where payment_order_id is not null;

-- Work that was given up and waits for a person; the record, where the job queue only wakes.
create table dead_letters (
  dead_letter_id text primary key check (length(dead_letter_id) between 1 and 64),
  queue text not null check (length(queue) between 1 and 64),
  subject_id text not null check (length(subject_id) between 1 and 255),
  -- `work` was given up. `reversal`: money that was booked does not come. `discrepancy`: a PSP tells of money
  -- otherwise than it is booked here.
  kind text not null default 'work' check (kind in ('work', 'reversal', 'discrepancy')),
  payload jsonb not null,
  reason text not null check (length(reason) between 1 and 1000),
  attempt_count integer not null check (attempt_count >= 0),
  state text not null default 'waiting' check (state in ('waiting', 'redriven', 'discarded')),
  decided_by text check (length(decided_by) between 1 and 255),
  decision_note text check (length(decision_note) <= 500),
  created_at timestamptz not null default now(),
  decided_at timestamptz,
  constraint dead_letters_decided_check check ((state = 'waiting') = (decided_at is null))
);
-- Work that waits is told of once. What is no work has a letter for each reason, so that none hides another.
create unique index dead_letters_one_waiting
  on dead_letters (queue, subject_id, (case kind when 'work' then '' else md5(reason) end))
  where state = 'waiting';
create index dead_letters_created_index on dead_letters (created_at, dead_letter_id);
create index dead_letters_state_index on dead_letters (state, created_at, dead_letter_id);
create index dead_letters_queue_index on dead_letters (queue, created_at, dead_letter_id);

-- API keys: only the hash is kept; the last four characters help a person to tell them apart.
create table api_keys (
  key_id text primary key check (length(key_id) between 1 and 64),
  key_hash bytea not null unique check (length(key_hash) = 32),
  name text not null check (length(name) between 1 and 100),
  last_four text not null check (length(last_four) <= 4),
  scopes text[] not null check (scopes <@ array['read', 'write', 'admin'] and cardinality(scopes) > 0),
  created_at timestamptz not null default now(),
  revoked_at timestamptz
);

grant select, insert, delete on idempotency_keys to pacioli_service;
grant select, insert on webhook_inbox, dead_letters to pacioli_service;
grant select on api_keys to pacioli_service;
grant update (state, note, processed_at) on webhook_inbox to pacioli_service;
grant update (state, decided_by, decision_note, decided_at) on dead_letters to pacioli_service;
