import type { TestDatabase } from "./database.ts";

export const states = [
  "NOT_STARTED",
  "EXECUTING",
  "PENDING",
  "UNKNOWN",
  "RETRY_SCHEDULED",
  "AUTHORIZED",
  "SUCCESS",
  "FAILED",
  "CANCELED",
] as const;
export type State = (typeof states)[number];

export const insertEvent = (db: TestDatabase, id: string, orders = 1): Promise<unknown[]> =>
  db.asService(
    `insert into payment_events (checkout_id, buyer_info, credit_card_info, unfinished_order_count, request_fingerprint, risk_decision)
   values ($1, '{}', '{}', $2, decode(repeat('00', 32), 'hex'), 'pass')`,
    [id, orders],
  );

export const orderColumns =
  "payment_order_id, checkout_id, position, buyer_account, seller_account, amount_minor, currency, status, status_cause, status_actor, created_by";

let count = 0;

/** An order with a checkout of its own; its id. */
export async function newOrder(
  db: TestDatabase,
  changes: { status?: State; amount?: string; currency?: string } = {},
): Promise<string> {
  const id = `order-${++count}`;
  await insertEvent(db, id);
  await db.asService(
    `insert into payment_orders (${orderColumns}) values ($1::text, $1::text, 0, 'b', 's', $2, $3, $4, 'accepted', 'test', 'test')`,
    [id, changes.amount ?? "100", changes.currency ?? "USD", changes.status ?? "NOT_STARTED"],
  );
  return id;
}

export function newAttempt(
  db: TestDatabase,
  order: string,
  number: number,
  amount = "100",
): Promise<unknown[]> {
  return db.asService(
    "insert into payment_attempts (attempt_id, checkout_id, payment_order_id, attempt_number, psp, amount_minor, currency) values ($1, $2, $2, $3, 'stripe', $4, 'USD')",
    [`att-${order}-${number}`, order, number, amount],
  );
}
