import type { Queryable } from "../../db/db.ts";
import { selectFaults, type FaultRow } from "../../ledger/ledger.ts";

/** A capture that bears commissions. */
export type CommissionedCapture = {
  readonly payment_order_id: string;
  /** Null: the order was captured at once. */
  readonly operation_id: string | null;
  /** How often a capture at once failed before; 0 of an operation. */
  readonly failed_capture_count: number;
};

/** Numbers as digits; a JSON number could not hold every bigint. */
export type NewCommission = CommissionedCapture & {
  readonly component: string;
  readonly rule: string;
  readonly basis_points: string;
  readonly amount_minor: string;
  readonly currency: string;
};

/** Stores the commissions of captures. */
export async function addCommissions(tx: Queryable, rows: readonly NewCommission[]): Promise<void> {
  if (rows.length === 0) return;
  await tx.query("select commissions_add($1)", [JSON.stringify(rows)]);
}

/** Takes back the commissions of captures that failed: the same rows with the opposite amounts. */
export async function reverseCommissions(
  tx: Queryable,
  captures: readonly CommissionedCapture[],
): Promise<void> {
  if (captures.length === 0) return;
  await tx.query("select commissions_reverse($1)", [JSON.stringify(captures)]);
}

export type CommissionRow = {
  readonly component: string;
  readonly rule: string;
  readonly basis_points: number;
  /** Negative: taken back, because the capture failed. */
  readonly amount_minor: bigint;
  readonly currency: string;
  readonly capture_id: string | null;
};

/** An order's commissions, capture by capture, each before its reversal. */
export function selectCommissions(db: Queryable, paymentOrderId: string): Promise<CommissionRow[]> {
  return db.query<CommissionRow>(
    `select c.component, c.rule, c.basis_points, c.amount_minor, c.currency::text, m.capture_id
       from commissions c
       left join operations m on m.operation_id = c.operation_id
      where c.payment_order_id = $1
      order by c.operation_id, c.failed_capture_count, c.component, c.is_reversal`,
    [paymentOrderId],
  );
}

/**
 * Finds captures whose commissions are not what the ledger credits to the platform, in both directions, and
 * commissions at another rate than their order's.
 */
export function findWrongCommissions(db: Queryable, orders: readonly string[]): Promise<FaultRow[]> {
  return selectFaults(
    db,
    `with stored as (
       select payment_order_id,
              case when operation_id is not null then operation_id
                   when failed_capture_count > 0 then (failed_capture_count + 1)::text
                   else '' end as part,
              currency::text, sum(amount_minor) as amount_minor
         from commissions
        where payment_order_id = any($1::text[])
        group by payment_order_id, part, currency
     ), booked as (
       select t.subject_id as payment_order_id, coalesce(c.part, t.part) as part, a.currency::text,
              -sum(e.amount_minor) as amount_minor
         from ledger_transactions t
         join ledger_entries e on e.transaction_id = t.transaction_id
         join ledger_accounts a on a.account_id = e.account_id
         -- A reversal counts with the capture that it reverses.
         left join ledger_transactions c on c.transaction_id = t.reverses_transaction_id
        where a.role = 'platform_commission' and t.subject_type = 'order' and t.subject_id = any($1::text[])
          and coalesce(c.kind, t.kind) = 'captured'
        group by t.subject_id, coalesce(c.part, t.part), a.currency
     )
     select 'order ' || payment_order_id || case part when '' then '' else ', capture ' || part end
              as subject,
            'has commissions of ' || coalesce(s.amount_minor, 0) || ' ' || currency
              || ', the ledger credits ' || coalesce(b.amount_minor, 0) as problem
       from stored s
       full join booked b using (payment_order_id, part, currency)
      where coalesce(s.amount_minor, 0) <> coalesce(b.amount_minor, 0)
     union all
     select 'order ' || c.payment_order_id,
            'has a commission by the rule ' || c.rule || ' at ' || c.basis_points
              || ' basis points, and was accepted with ' || o.commission_rule || ' at '
              || o.commission_basis_points
       from commissions c
       join payment_orders o on o.payment_order_id = c.payment_order_id
      where c.payment_order_id = any($1::text[])
        and (o.commission_rule is distinct from c.rule
             or o.commission_basis_points is distinct from c.basis_points)`,
    [orders],
  );
}

/** Commissions of orders that do not exist, over the whole table. */
export function findGhostCommissions(db: Queryable): Promise<FaultRow[]> {
  return selectFaults(
    db,
    `select distinct 'order ' || c.payment_order_id as subject,
            'has commissions and does not exist' as problem
       from commissions c
      where not exists (select from payment_orders o where o.payment_order_id = c.payment_order_id)`,
  );
}
