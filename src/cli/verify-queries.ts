import type { Transaction } from "../db/db.ts";

/** Shows this transaction one state of the database for as long as it takes, and refuses it to write. */
export async function readOneSnapshot(tx: Transaction): Promise<void> {
  await tx.query("set transaction isolation level repeatable read, read only");
  await tx.query("set local statement_timeout = 0");
}
