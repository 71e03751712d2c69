-- Up Migration

-- Work that was given up and waits for a person; the record, where the job queue only wakes.
create table dead_letters (
  dead_letter_id text primary key check (length(dead_letter_id) between 1 and 64),
  queue text not null check (length(queue) between 1 and 64),
  subject_id text not null check (length(subject_id) between 1 and 255),
  -- `work` was given up. `reversal`: money that was booked will not arrive. `discrepancy`: what a PSP reports
  -- differs from what is booked here.
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
-- Work has one waiting letter at a time. The other kinds have one for each reason, so that none hides
-- another.
create unique index dead_letters_one_waiting
  on dead_letters (queue, subject_id, (case kind when 'work' then '' else md5(reason) end))
  where state = 'waiting';
create index dead_letters_created_index on dead_letters (created_at, dead_letter_id);
create index dead_letters_state_index on dead_letters (state, created_at, dead_letter_id);
create index dead_letters_queue_index on dead_letters (queue, created_at, dead_letter_id);

grant select, insert on dead_letters to pacioli_service;
grant update (state, decided_by, decision_note, decided_at) on dead_letters to pacioli_service;
