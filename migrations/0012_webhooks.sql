-- Up Migration

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

grant select, insert on webhook_inbox to pacioli_service;
grant update (state, note, processed_at) on webhook_inbox to pacioli_service;
