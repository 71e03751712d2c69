import pg from "pg";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
  await db.asOwner("create table counters (name text primary key, value bigint not null)");
  await db.asOwner("insert into counters values ('left', 0), ('right', 0)");
  await db.asOwner("grant select, insert, update on counters to " + db.service_role);
});
afterAll(() => db.drop());

test.for([
  ["2026-01-02 03:04:05.678901+00", "2026-01-02T03:04:05.678901Z"],
  ["2026-01-02 03:04:05.6789+00", "2026-01-02T03:04:05.678900Z"],
  ["2026-01-02 03:04:05+00", "2026-01-02T03:04:05.000000Z"],
  ["2026-01-02 05:04:05.5+02", "2026-01-02T03:04:05.500000Z"],
] as const)("the time %s is read with all six digits of its microseconds", async ([stored, read]) => {
  expect(await db.database.query("select $1::timestamptz as at", [stored])).toEqual([{ at: read }]);
});

test("a time that RFC 3339 cannot write is an error and not another time", async () => {
  await expect(db.database.query("select 'infinity'::timestamptz as at")).rejects.toThrow(
    "RFC 3339 cannot write",
  );
});

test("int8 comes as bigint without loss, both in a transaction and outside", async () => {
  const text =
    "select 9223372036854775807::bigint as largest, (-9223372036854775808)::bigint as smallest, 7::int as small";
  const rows = [{ largest: 2n ** 63n - 1n, smallest: -(2n ** 63n), small: 7 }];
  expect(await db.database.query(text)).toEqual(rows);
  expect(await db.database.transaction((tx) => tx.query(text))).toEqual(rows);
});

test("times come as RFC 3339 in UTC with their microseconds, and go back unchanged", async () => {
  const [row] = await db.database.query<{ at: string; whole: string }>(
    "select '2026-03-01 01:02:03.000457+02'::timestamptz as at, '2026-01-02 03:04:05+00'::timestamptz as whole",
  );
  expect(row).toEqual({ at: "2026-02-28T23:02:03.000457Z", whole: "2026-01-02T03:04:05.000000Z" });
  expect(
    await db.database.query("select $1::timestamptz = '2026-03-01 01:02:03.000457+02'::timestamptz as same", [
      row?.at,
    ]),
  ).toEqual([{ same: true }]);
});

test("other pools of the process keep the driver's own types, which pg-boss expects", async () => {
  const client = new pg.Client({ connectionString: db.url });
  await client.connect();
  onTestFinished(() => client.end());
  const { rows } = await client.query(
    "select 5::bigint as number, '2026-01-02 03:04:05+00'::timestamptz as at",
  );
  expect(rows).toEqual([{ number: "5", at: new Date("2026-01-02T03:04:05Z") }]);
});
