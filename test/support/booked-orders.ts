import type { TransactionDraft } from "../../src/ledger/ledger.ts";
import { describeTransaction, postAll } from "../../src/ledger/ledger.ts";
import type { OrderStatus } from "../../src/payments/payments.ts";
import type { TestDatabase } from "./database.ts";

/** An order that went its way without the service: its rows, with an id that a test can name. */
export type OrderFixture = {
  readonly payment_order_id: string;
  readonly seller_account: string;
  readonly amount_minor: bigint;
  readonly currency: string;
  readonly psp: string;
  readonly capture_method: "automatic" | "manual";
  /** The states that it goes through after EXECUTING. */
  readonly statuses: readonly OrderStatus[];
  /** What it says was captured, in each state that may say so. */
  readonly captured_minor: bigint;
};

export const attemptOf = ({ payment_order_id }: Pick<OrderFixture, "payment_order_id">): string =>
  `att_${payment_order_id}`;

/** Stores the order with its checkout and its attempt; nothing is booked. */
export async function insertOrder(db: TestDatabase, order: OrderFixture): Promise<void> {
  const { payment_order_id: id, seller_account, amount_minor, currency, psp, capture_method } = order;
  await db.asService(
    `insert into payment_events (checkout_id, buyer_info, credit_card_info, is_payment_done, unfinished_order_count, request_fingerprint, risk_decision)
     values ($1, '{}', '{}', $2::boolean, 1 - $2::boolean::int, decode(repeat('00', 32), 'hex'), 'pass')`,
    [id, order.statuses.at(-1) === "SUCCESS"],
  );
  await db.asService(
    `insert into payment_orders (payment_order_id, checkout_id, position, buyer_account, seller_account, amount_minor, currency,
                                 capture_method, status, status_cause, status_actor, created_by)
     values ($1::text, $1::text, 0, 'buyer', $2, $3, $4, $5, 'NOT_STARTED', 'accepted', 'test', 'test')`,
    [id, seller_account, amount_minor, currency, capture_method],
  );
  await db.asService(
    `insert into payment_attempts (attempt_id, checkout_id, payment_order_id, attempt_number, psp, psp_reference, amount_minor,
                                   currency, capture_method, status)
     values ($1, $2::text, $2::text, 1, $3, 'charge_' || $2, $4, $5, $6, $7)`,
    [attemptOf(order), id, psp, amount_minor, currency, capture_method, attemptStatusOf(order)],
  );
  await db.asService(
    "insert into psp_references (psp, reference, type, subject_id) values ($1, 'charge_' || $2, 'payment', $3)",
    [psp, id, attemptOf(order)],
  );
  for (const status of ["EXECUTING", ...order.statuses] as const) await move(db, order, status);
}

async function move(db: TestDatabase, order: OrderFixture, status: OrderStatus): Promise<void> {
  const captured_minor = status === "SUCCESS" || status === "AUTHORIZED" ? order.captured_minor : 0n;
  await db.asService(
    `update payment_orders
        set status = $2::payment_order_status, status_cause = 'test', status_actor = 'test', captured_minor = $3::bigint,
            failed_capture_count = failed_capture_count + (status = 'SUCCESS' and $2 = 'FAILED'::payment_order_status)::int,
            wallet_updated = $3::bigint > 0, ledger_updated = $3::bigint > 0
      where payment_order_id = $1`,
    [order.payment_order_id, status, captured_minor],
  );
}

function attemptStatusOf({ statuses }: OrderFixture): string {
  const last = statuses.at(-1);
  if (last === "SUCCESS") return "succeeded";
  return last === "AUTHORIZED" ? "authorized" : "declined";
}

/** Posts transactions one after another, so that their ids and the versions of accounts are the same in each run. */
export async function postInOrder(db: TestDatabase, drafts: readonly TransactionDraft[]): Promise<void> {
  for (const draft of drafts) {
    const [posting] = await db.database.transaction((tx) => postAll(tx, [draft]));
    if (posting?.outcome !== "posted") throw new Error(`${describeTransaction(draft)}: ${posting?.outcome}`);
  }
}
