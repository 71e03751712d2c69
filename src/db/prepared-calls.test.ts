import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";
import { Database } from "./database.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterAll(() => db.drop());

function open(connections: number): Database {
  const pool = new Database({
    url: db.service_url,
    application_name: "test-prepared",
    connections_max: connections,
  });
  onTestFinished(() => pool.close());
  return pool;
}

test("calls of a function are prepared once per connection, and other statements never", async () => {
  const single = open(1);
  await db.asOwner("create function doubled(p bigint) returns bigint language sql as 'select 2 * p'");
  await db.asOwner("grant execute on function doubled to " + db.service_role);
  for (const value of [1, 2])
    await single.transaction(async (tx) => {
      await tx.query("select doubled($1)", [value]);
      await tx.query("select kind from risk_block_list where value = $1::text", [value]);
    });
  expect(
    await single.query("select statement from pg_prepared_statements where statement not like '%prepared%'"),
  ).toEqual([{ statement: "select doubled($1)" }]);
});

test("a function whose columns a migration changed is prepared anew on every connection", async () => {
  const connections = 3;
  const pool = open(connections);
  const create = async (columns: string, body: string): Promise<void> => {
    await db.asOwner("drop function if exists pairs");
    await db.asOwner(`create function pairs() returns table (${columns}) language sql as '${body}'`);
    await db.asOwner("grant execute on function pairs to " + db.service_role);
  };
  // Sent with another statement, whose failure arrives first.
  const call = (): Promise<object[]> =>
    pool.transaction(async (tx) => {
      const pairs = tx.query("select * from pairs()").finally(() => undefined);
      const [found] = await Promise.all([pairs, tx.query("select 1")]);
      return found;
    });
  await create("a integer", "select 1");
  const all = (): Promise<object[][]> =>
    Promise.all(
      Array.from({ length: connections }, () =>
        pool.transaction(async (tx) => {
          const rows = await tx.query("select * from pairs()");
          await tx.query("select pg_sleep(0.1)");
          return rows;
        }),
      ),
    );
  await all();
  await create("a integer, b integer", "select 1, 2");
  expect(await call()).toEqual([{ a: 1, b: 2 }]);
  expect(await all()).toEqual(Array.from({ length: connections }, () => [{ a: 1, b: 2 }]));
});
