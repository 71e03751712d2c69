import type { Queryable } from "../../db/db.ts";
import type { OperationStatus, Resolution } from "../model/model.ts";
import type { RunnableOperation } from "./operation-turn-queries.ts";

/**
 * Stores a manual resolution. A failed operation is reopened and counts as in flight; the caller has
 * locked its order.
 */
export async function storeResolution(
  tx: Queryable,
  { operation_id, status }: Pick<RunnableOperation, "operation_id" | "status">,
  { outcome, note }: Resolution,
  actor: string,
): Promise<void> {
  await tx.query(
    `with resolved as (
       update operations
          set resolved_as = $2, resolution_note = $3, resolved_by = $4, due_at = now(), updated_at = now(),
              status = case status when 'failed' then 'unknown' else status end
        where operation_id = $1
       returning payment_order_id, kind, amount_minor
     )
     update payment_orders o set capturing_minor = o.capturing_minor + r.amount_minor, updated_at = now()
       from resolved r
      where o.payment_order_id = r.payment_order_id and r.kind = 'capture' and $5`,
    [operation_id, outcome, note, actor, status === "failed"],
  );
}

/** The PSP has ended authorisations while a capture of them was under way. */
export async function markAuthorizationsEnded(
  tx: Queryable,
  ended: readonly { readonly attempt_id: string; readonly authorization_ended_as: string }[],
): Promise<void> {
  if (ended.length === 0) return;
  await tx.query(
    `update payment_attempts a set authorization_ended_as = e.authorization_ended_as, updated_at = now()
       from json_to_recordset($1::json) as e (attempt_id text, authorization_ended_as text)
      where a.attempt_id = e.attempt_id`,
    [JSON.stringify(ended)],
  );
}

/** `change_minor`: digits; a JSON number could not hold every bigint. */
export type CapturingChange = { readonly payment_order_id: string; readonly change_minor: string };

export type NewEvent = {
  readonly type: string;
  readonly subject_type: "payment_order";
  readonly subject_id: string;
  readonly seller_account: string;
  readonly checkout_id: string;
  readonly data: Readonly<Record<string, string | null>>;
};

export type OperationChange = {
  readonly operation_id: string;
  readonly status: OperationStatus;
  readonly psp_reference: string | null;
  readonly is_new_key: boolean;
  /** The PSP keeps a server error under the key. */
  readonly has_stored_failure: boolean;
  readonly is_inquired: boolean;
  readonly failure_class: string | null;
  readonly failure_code: string | null;
  readonly failure_message: string | null;
  readonly retry_delay_seconds: number | null;
};

/** Counts captures as in flight no more; their orders are locked. */
export async function changeCapturing(tx: Queryable, changes: readonly CapturingChange[]): Promise<void> {
  if (changes.length === 0) return;
  await tx.query(
    `update payment_orders o set capturing_minor = o.capturing_minor + c.change_minor::bigint
       from json_to_recordset($1::json) as c (payment_order_id text, change_minor text)
      where o.payment_order_id = c.payment_order_id`,
    [JSON.stringify(changes)],
  );
}

export async function insertEvents(tx: Queryable, events: readonly NewEvent[]): Promise<void> {
  if (events.length === 0) return;
  await tx.query(
    `insert into events (xid, type, subject_type, subject_id, seller_account, checkout_id, data)
     select (select current_xid()), e.type, e.subject_type, e.subject_id, e.seller_account, e.checkout_id,
            e.data
       from json_to_recordset($1::json)
            as e (type text, subject_type text, subject_id text, seller_account text, checkout_id text,
                  data jsonb)`,
    [JSON.stringify(events)],
  );
}

/** Writes what came of operations. */
export async function writeOperationChanges(tx: Queryable, rows: readonly OperationChange[]): Promise<void> {
  if (rows.length === 0) return;
  await tx.query("select operations_write_outcomes($1)", [JSON.stringify(rows)]);
}
