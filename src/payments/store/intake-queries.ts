import { textArray, type Queryable, type Timestamp } from "../../db/db.ts";
import { attemptsJson, type NewAttempt } from "./attempt-queries.ts";

export type KnownRows = {
  /** The business time that was asked with, which the new rows will carry. */
  readonly created_at: Timestamp;
  readonly events: readonly { checkout_id: string; request_fingerprint: string }[] | null;
  readonly orders: readonly { payment_order_id: string; checkout_id: string }[] | null;
};

/** Which of these checkouts and orders exist already. */
export async function selectKnown(
  tx: Queryable,
  checkoutIds: readonly string[],
  paymentOrderIds: readonly string[],
  at: Date,
): Promise<KnownRows> {
  const [row] = await tx.query<KnownRows>(
    "select created_at, events, orders from payments_known($1, $2, $3)",
    [textArray(checkoutIds), textArray(paymentOrderIds), at.toISOString()],
  );
  if (row === undefined) throw new Error("payments_known gave no row");
  return row;
}

export type NewEvent = {
  readonly checkout_id: string;
  readonly buyer_info: object;
  readonly seller_info: object | null;
  readonly credit_card_info: object | null;
  readonly hosted_page: object | null;
  readonly external: object | null;
  readonly unfinished_order_count: number;
  readonly request_fingerprint: string;
  readonly risk_decision: string;
  readonly risk_reasons: readonly string[];
};

export type NewOrder = {
  readonly payment_order_id: string;
  readonly checkout_id: string;
  readonly position: number;
  readonly buyer_account: string;
  readonly seller_account: string;
  /** Digits; a JSON number could not hold every bigint. */
  readonly amount_minor: string;
  readonly currency: string;
  readonly capture_method: string;
  readonly commission_rule: string;
  /** Digits. */
  readonly commission_basis_points: string;
  readonly status: string;
  readonly status_cause: string;
  readonly status_actor: string;
  readonly created_by: string;
  readonly attempt_id: string | null;
  readonly error_code: string | null;
  readonly error_message: string | null;
};

/**
 * Inserts checkouts, created at `at`, with their orders and first attempts, plainly: a row that another
 * transaction inserted first is a unique violation.
 */
export async function insertCheckouts(
  tx: Queryable,
  events: readonly NewEvent[],
  orders: readonly NewOrder[],
  attempts: readonly NewAttempt[],
  at: Date,
): Promise<void> {
  await tx.query("select payments_take_checkouts($1, $2, $3, $4)", [
    JSON.stringify(events),
    JSON.stringify(orders),
    attemptsJson(attempts),
    at.toISOString(),
  ]);
}
