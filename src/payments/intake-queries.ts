import { textArray, type Queryable, type Timestamp } from "../db/db.ts";

export type KnownRows = {
  /** The transaction's time, which the new rows will carry. */
  readonly created_at: Timestamp;
  readonly events: readonly { checkout_id: string; request_fingerprint: string; risk_decision: "pass" | "review" | "reject"; created_at: Timestamp }[] | null;
  readonly orders: readonly { payment_order_id: string; checkout_id: string }[] | null;
};

/** Which of these checkouts and orders exist already. */
export async function selectKnown(tx: Queryable, checkoutIds: readonly string[], paymentOrderIds: readonly string[]): Promise<KnownRows> {
  const [row] = await tx.query<KnownRows>(
    `select now() as created_at,
            (select json_agg(json_build_object(
                      'checkout_id', e.checkout_id, 'request_fingerprint', encode(e.request_fingerprint, 'hex'),
                      'risk_decision', e.risk_decision))
               from payment_events e where e.checkout_id = any ($1::text[])) as events,
            (select json_agg(json_build_object('payment_order_id', o.payment_order_id, 'checkout_id', o.checkout_id))
               from payment_orders o where o.payment_order_id = any ($2::text[])) as orders`,
    [textArray(checkoutIds), textArray(paymentOrderIds)],
  );
  if (row === undefined) throw new Error("a select without a table gave no row");
  return row;
}

export type NewEvent = {
  readonly checkout_id: string;
  readonly buyer_info: object;
  readonly seller_info: object | null;
  readonly credit_card_info: object;
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
  readonly status: string;
  readonly status_cause: string;
  readonly status_actor: string;
  readonly error_code: string | null;
  readonly error_message: string | null;
};

/** Inserts checkouts and their orders, plainly: a row that another transaction inserted first is a unique violation. */
export async function insertCheckouts(tx: Queryable, events: readonly NewEvent[], orders: readonly NewOrder[]): Promise<void> {
  await tx.query(
    `with new_events as (
       insert into payment_events (checkout_id, buyer_info, seller_info, credit_card_info, unfinished_order_count,
                                   request_fingerprint, risk_decision, risk_reasons)
       select checkout_id, buyer_info, seller_info, credit_card_info, unfinished_order_count,
              decode(request_fingerprint, 'hex'), risk_decision, risk_reasons
         from json_to_recordset($1::json)
              as e (checkout_id text, buyer_info jsonb, seller_info jsonb, credit_card_info jsonb, unfinished_order_count integer,
                    request_fingerprint text, risk_decision risk_decision, risk_reasons text[])
     ), created as (
       insert into events (type, subject_id, data)
       select 'checkout.created', e.checkout_id, jsonb_build_object('risk_decision', e.risk_decision)
         from json_to_recordset($1::json) as e (checkout_id text, risk_decision text)
     )
     insert into payment_orders (payment_order_id, checkout_id, position, buyer_account, seller_account, amount_minor, currency,
                                 status, status_cause, status_actor, error_code, error_message)
     select payment_order_id, checkout_id, position, buyer_account, seller_account, amount_minor, currency,
            status, status_cause, status_actor, error_code, error_message
       from json_to_recordset($2::json)
            as o (payment_order_id text, checkout_id text, position smallint, buyer_account text, seller_account text,
                  amount_minor bigint, currency text, status payment_order_status, status_cause text, status_actor text,
                  error_code text, error_message text)`,
    [JSON.stringify(events), JSON.stringify(orders)],
  );
}
