import type { Queryable } from "../../db/db.ts";
import type { PspReference } from "../../psp/psp.ts";

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
