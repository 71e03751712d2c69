import type { Queryable } from "../../db/db.ts";
import type { PspReference } from "../../psp/psp.ts";
import { isAttemptOfOrder } from "./queries.ts";

/** An id that a PSP account gave, and the attempt or operation that it belongs to. */
export type NewReference = PspReference & { readonly psp: string; readonly subject_id: string };

/** An id that stands for `known_subject_id` already. It stays so. */
export type ReferenceConflict = {
  readonly psp: string;
  readonly reference: string;
  readonly type: string;
  readonly subject_id: string;
  readonly known_subject_id: string;
};

/** Stores references; known ones stay as they are. Gives those that stand for something else. */
export async function addReferences(
  tx: Queryable,
  references: readonly NewReference[],
): Promise<ReferenceConflict[]> {
  if (references.length === 0) return [];
  const rows = references.map(({ psp, reference, type, subject_id }) => ({
    psp,
    reference,
    type,
    subject_id,
  }));
  return tx.query<ReferenceConflict>("select * from psp_references_add($1)", [JSON.stringify(rows)]);
}

export type ReferenceRow = { readonly type: string; readonly reference: string; readonly subject_id: string };

/** The ids that PSPs gave for an order's attempts and for the operations on them, in the order they came. */
export function selectReferences(db: Queryable, paymentOrderId: string): Promise<ReferenceRow[]> {
  return db.query<ReferenceRow>(
    `with attempts as (select a.attempt_id from payment_attempts a where ${isAttemptOfOrder}),
          subjects as (
            select attempt_id as subject_id from attempts
            union all
            select m.operation_id from operations m join attempts on attempts.attempt_id = m.attempt_id
          )
     select r.type, r.reference, r.subject_id
       from subjects
       -- Looked up subject by subject, however many ids the planner expects.
       cross join lateral (
         select * from psp_references r where r.subject_id = subjects.subject_id offset 0
       ) r
      order by r.created_at, r.subject_id, r.type, r.reference`,
    [paymentOrderId],
  );
}
