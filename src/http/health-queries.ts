import type { Queryable } from "../db/db.ts";

/** Errors when the database does not answer. */
export async function askDatabase(db: Queryable): Promise<void> {
  await db.query("select 1");
}
