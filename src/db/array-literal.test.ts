import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";
import { numberArray, textArray } from "./array-literal.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterAll(() => db.drop());

/** What PostgreSQL can store: well-formed Unicode without NUL. */
const text = fc.string({ unit: "binary" }).filter((value) => value.isWellFormed() && !value.includes("\0"));
const awkward = fc.constantFrom(
  "",
  "NULL",
  "null",
  "{}",
  '"',
  "\\",
  '\\"',
  ",",
  " a ",
  "a,b",
  "\n",
  "𝄞",
  "'",
);

test("every list of texts arrives as it was, whatever stands in it", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.option(fc.oneof(text, awkward))), async (values) => {
      expect(await db.database.query("select $1::text[] as list", [textArray(values)])).toEqual([
        { list: values },
      ]);
    }),
  );
});

test("every list of numbers arrives as it was, up to the ends of bigint", async () => {
  const numbers = fc.array(fc.option(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })));
  await fc.assert(
    fc.asyncProperty(numbers, async (values) => {
      const rows = await db.database.query<{ value: bigint | null }>(
        "select value from unnest($1::bigint[]) with ordinality as l (value, n) order by n",
        [numberArray(values)],
      );
      expect(rows.map((row) => row.value)).toEqual(values);
    }),
  );
});
