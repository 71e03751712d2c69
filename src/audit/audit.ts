/** The door of the audit room: who changed what, before and after, and why; never deleted. */
import type { Transaction } from "../db/db.ts";
import { insertAudits, type NewAudit } from "./queries.ts";

export { selectAudits } from "./queries.ts";
export type { AuditFilter, AuditRow, NewAudit } from "./queries.ts";

/** The actor of a change, and the request. */
export type Author = {
  /** `key:<key_id>` for an API key, `cli:<user>` for the command line. */
  readonly actor: string;
  /** Null for the command line. */
  readonly request_id: string | null;
};

/** Records a change in the transaction that makes it: both are committed, or neither is. */
export function recordAudit(tx: Transaction, change: NewAudit): Promise<void> {
  return insertAudits(tx, [change]);
}

/** Records several changes of one transaction at once. */
export async function recordAudits(tx: Transaction, changes: readonly NewAudit[]): Promise<void> {
  if (changes.length > 0) await insertAudits(tx, changes);
}
