-- The kind's row of policies, as a migration would add it: after how many inquiries without an outcome a
-- person is told, of a request that may not have arrived and of one that the PSP has accepted.
insert into operation_kinds (kind, unknown_inquiries_max, accepted_inquiries_max) values ('refund', 8, 30);

-- What its transactions credit: they hold what is refunded, and give it back if the refund fails.
insert into ledger_seller_credits (kind, role) values
  ('refunded', 'seller_reserved'),
  ('refunded', 'seller_pending');
