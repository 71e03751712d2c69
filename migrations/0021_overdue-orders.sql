-- Up Migration

-- Orders that stayed in one state for too long; each such stay is told once.
create table overdue_orders (
  payment_order_id text not null references payment_orders on delete restrict,
  transition_number bigint not null,
  found_at timestamptz not null default now(),
  primary key (payment_order_id, transition_number)
);

grant select, insert on overdue_orders to pacioli_service;
