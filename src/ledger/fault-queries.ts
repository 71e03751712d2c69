import type { Queryable } from "../db/db.ts";

export type FaultRow = { readonly subject: string; readonly problem: string };

/** Faults shown for one check. */
export const faults_shown_max = 20;

/**
 * The first rows of a query that looks for faults. It is planned to run to its end, as it does when all is
 * right: under a bare `limit`, PostgreSQL expected 20 faults early, chose a nested loop, and took 50 s for
 * 40,000 payments.
 */
export function selectFaults(
  db: Queryable,
  query: string,
  values: readonly unknown[] = [],
): Promise<FaultRow[]> {
  return db.query<FaultRow>(
    `with faults as materialized (${query}) select subject, problem from faults limit ${faults_shown_max}`,
    values,
  );
}
