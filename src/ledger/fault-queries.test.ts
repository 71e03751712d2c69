import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";
import { selectFaults } from "./fault-queries.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterAll(() => db.drop());

const numbers =
  "select 'number ' || n as subject, 'is odd' as problem from generate_series(999, 1, -2) as n order by n";

test("a check shows its first 20 faults, in the order of its query", async () => {
  const faults = await selectFaults(db.database, numbers);
  expect(faults.map((fault) => fault.subject)).toEqual(
    Array.from({ length: 20 }, (_, i) => `number ${2 * i + 1}`),
  );
});

test("a check is planned to run to its end: its 20 faults are no reason to expect them early", async () => {
  const plans: string[] = [];
  await selectFaults(
    {
      query: async (statement, values) => {
        const lines = await db.database.query<{ "QUERY PLAN": string }>(`explain ${statement}`, values);
        plans.push(lines.map((line) => line["QUERY PLAN"]).join("\n"));
        return [];
      },
    },
    "select a.relname::text as subject, 'is a relation' as problem from pg_class a join pg_attribute b on b.attrelid = a.oid",
  );
  // The limit reads from the finished list, so no node below it is chosen for how fast its first rows come.
  expect(plans[0]).toMatch(/^Limit[^\n]*\n  CTE faults\n    ->  Hash Join[^]*\n  ->  CTE Scan on faults/);
});
