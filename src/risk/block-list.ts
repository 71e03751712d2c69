import { recordAudit, type Author } from "../audit/audit.ts";
import type { Transaction } from "../db/db.ts";
import { deleteBlock, insertBlock, type BlockKind, type NewBlock } from "./queries.ts";

/** Blocks a buyer, an e-mail address or a seller. A block that exists stays as it is. */
export async function addBlock(tx: Transaction, block: NewBlock, by: Author): Promise<void> {
  const { kind, reason } = block;
  const value = storedValue(kind, block.value);
  if (!(await insertBlock(tx, { kind, value, reason, created_by: by.actor }))) return;
  await recordAudit(tx, {
    ...by,
    action: "risk_block.add",
    ...subjectOf(kind, value),
    before: null,
    after: { kind, value },
    reason,
  });
}

/** Removes a block. Gives whether there was one. */
export async function removeBlock(
  tx: Transaction,
  block: { readonly kind: BlockKind; readonly value: string },
  by: Author,
): Promise<boolean> {
  const removed = await deleteBlock(tx, block.kind, storedValue(block.kind, block.value));
  if (removed === undefined) return false;
  const { kind, value } = removed;
  await recordAudit(tx, {
    ...by,
    action: "risk_block.remove",
    ...subjectOf(kind, value),
    before: removed,
    after: null,
    reason: null,
  });
  return true;
}

/** E-mail addresses are blocked in any capitalisation. */
const storedValue = (kind: BlockKind, value: string): string =>
  kind === "buyer_email" ? value.toLowerCase() : value;

const subjectOf = (kind: BlockKind, value: string) => ({
  subject_type: "risk_block",
  subject_id: `${kind}:${value}`,
});
