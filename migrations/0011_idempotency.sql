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

grant select, insert, delete on idempotency_keys to pacioli_service;
