import type { Queryable } from "../../src/db/db.ts";
import type { OperationId } from "../../src/ids.ts";

export type NewRefund = {
  readonly operation_id: OperationId;
  readonly payment_order_id: string;
  readonly amount_minor: bigint;
  readonly created_by: string;
};

/** Stores a refund of the order's paid attempt, in the attempt's lane: behind its captures, one at a time. */
export async function insertRefund(tx: Queryable, refund: NewRefund): Promise<void> {
  const rows = await tx.query<{ operation_id: string }>(
    `insert into operations
       (operation_id, kind, lane, is_final, psp, attempt_id, payment_order_id, amount_minor, currency,
        created_by)
     select $1, 'refund', 'attempt:' || a.attempt_id, false, a.psp, a.attempt_id, a.payment_order_id, $3,
            a.currency, $4
       from payment_attempts a
      where a.payment_order_id = $2 and a.status = 'succeeded'
     returning operation_id`,
    [refund.operation_id, refund.payment_order_id, refund.amount_minor, refund.created_by],
  );
  // The money is reserved by now: without an operation nothing would give it back. Pages have one attempt for
  // all orders.
  if (rows.length !== 1)
    throw new Error(`the order ${refund.payment_order_id} has no paid attempt of its own`);
}

/** What an order's refunds come to, made and in flight. */
export async function selectRefundedMinor(tx: Queryable, paymentOrderId: string): Promise<bigint> {
  const [row] = await tx.query<{ refunded_minor: bigint }>(
    `select coalesce(sum(amount_minor), 0)::bigint as refunded_minor
       from operations
      where payment_order_id = $1 and kind = 'refund' and status <> 'failed'`,
    [paymentOrderId],
  );
  return row?.refunded_minor ?? 0n;
}
