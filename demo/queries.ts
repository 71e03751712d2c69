import { sqlStateOf, type Queryable } from "../src/db/db.ts";

/** Drops one of the demo's own databases, cutting whatever a demo that was killed left connected to it. */
export async function dropDatabase(
  server: Queryable,
  name: `pacioli_demo${"" | "_simulator"}`,
): Promise<void> {
  await server.query(`drop database if exists ${name} with (force)`);
}

/** Tries to change, delete and empty the ledger's entries; gives the SQLSTATE of each refusal, or "done". */
export function tryToRewriteHistory(database: Queryable): Promise<string[]> {
  const statements = [
    "update ledger_entries set amount_minor = 1",
    "delete from ledger_entries",
    "truncate ledger_entries",
  ];
  return Promise.all(
    statements.map((statement) =>
      database.query(statement).then(
        () => "done",
        (error: unknown) => sqlStateOf(error) ?? String(error),
      ),
    ),
  );
}
