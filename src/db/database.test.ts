import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";
import { Database, isInsideTransaction, isUnavailable, sqlStateOf, type Transaction } from "./database.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
  await db.asOwner("create table counters (name text primary key, value bigint not null)");
  await db.asOwner("insert into counters values ('left', 0), ('right', 0)");
  await db.asOwner("grant select, insert, update on counters to " + db.service_role);
});
afterAll(() => db.drop());

/** A database with one connection, so that the next statement meets whatever the last one left. */
function openSingle(): Database {
  const single = new Database({ url: db.service_url, application_name: "test-single", connections_max: 1 });
  onTestFinished(() => single.close());
  return single;
}

const pidOf = async (queryable: Pick<Transaction, "query">): Promise<number> =>
  (await queryable.query<{ pid: number }>("select pg_backend_pid() as pid"))[0]?.pid ?? 0;

const valueOf = async (name: string): Promise<unknown> =>
  (await db.database.query<{ value: bigint }>("select value from counters where name = $1", [name]))[0]
    ?.value;

const raise = (sqlState: string): string =>
  `do $$ begin raise exception 'asked for' using errcode = '${sqlState}'; end $$`;

test("a transaction commits what it did and gives its result", async () => {
  const result = await db.database.transaction(async (tx) => {
    await tx.query("insert into counters values ('committed', 1)");
    return "done";
  });
  expect([result, await valueOf("committed")]).toEqual(["done", 1n]);
});

test("a snapshot cannot write, although other statements of its pool can", async () => {
  const write = "update counters set value = value + 1 where name = 'left'";
  await expect(db.database.snapshot((snapshot) => snapshot.query(write))).rejects.toMatchObject({
    code: "25006",
  });
  expect(await db.database.query(write)).toEqual([]);
  await db.database.query("update counters set value = 0 where name = 'left'");
});

test("an error rolls everything back and reaches the caller as it was thrown", async () => {
  const error = new Error("no");
  const call = db.database.transaction(async (tx) => {
    await tx.query("insert into counters values ('rolled back', 1)");
    throw error;
  });
  await expect(call).rejects.toBe(error);
  expect(await valueOf("rolled back")).toBeUndefined();
});

test("a failed statement leaves its connection usable for the next", async () => {
  const single = openSingle();
  const before = await pidOf(single);
  await expect(single.transaction((tx) => tx.query("select 1/0"))).rejects.toMatchObject({ code: "22012" });
  expect(await pidOf(single)).toBe(before);
  expect(await single.query("select 1 as one")).toEqual([{ one: 1 }]);
});

test("statements run with the service's login, in UTC", async () => {
  expect(
    await db.database.query("select current_user::text as role, current_setting('TimeZone') as zone"),
  ).toEqual([{ role: "pacioli_template_app", zone: "UTC" }]);
});

test("a connection that breaks in a transaction is an unavailable outcome and never comes back to the pool", async () => {
  const single = openSingle();
  let broken = 0;
  const call = single.transaction(async (tx) => {
    broken = await pidOf(tx);
    await db.asOwner("select pg_terminate_backend($1)", [broken]);
    await tx.query("select pg_sleep(5)");
  });
  await expect(call).rejects.toMatchObject({ code: "unavailable", status: 503, retry_after_seconds: 1 });
  expect(await pidOf(single)).not.toBe(broken);
});

test("a connection that breaks between two statements of a transaction does no more harm than that", async () => {
  const single = openSingle();
  const call = single.transaction(async (tx) => {
    await db.asOwner("select pg_terminate_backend($1)", [await pidOf(tx)]);
    await new Promise((resolve) => setTimeout(resolve, 100));
    await tx.query("insert into counters values ('after the break', 1)");
  });
  await expect(call).rejects.toMatchObject({ code: "unavailable" });
  expect(await valueOf("after the break")).toBeUndefined();
  expect(await single.query("select 1 as one")).toEqual([{ one: 1 }]);
});

test("a connection that breaks while idle is replaced without a word", async () => {
  const single = openSingle();
  await db.asOwner("select pg_terminate_backend($1)", [await pidOf(single)]);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(await single.query("select 1 as one")).toEqual([{ one: 1 }]);
});

test("a server that is not there is an unavailable outcome", async () => {
  const nowhere = new Database({
    url: "postgres://nobody@127.0.0.1:1/none",
    application_name: "test",
    connections_max: 1,
  });
  onTestFinished(() => nowhere.close());
  await expect(nowhere.query("select 1")).rejects.toMatchObject({ code: "unavailable" });
  await expect(nowhere.transaction((tx) => tx.query("select 1"))).rejects.toMatchObject({
    code: "unavailable",
  });
});

test("a deadlock is resolved by running the victim again: both transactions commit", async () => {
  const bothHoldOne = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const;
  let runs = 0;
  const raiseBoth = async (first: string, second: string, mine: 0 | 1): Promise<void> =>
    db.database.transaction(async (tx) => {
      runs += 1;
      await tx.query("update counters set value = value + 1 where name = $1", [first]);
      bothHoldOne[mine].resolve();
      await Promise.all(bothHoldOne.map((held) => held.promise));
      await tx.query("update counters set value = value + 1 where name = $1", [second]);
    });
  await Promise.all([raiseBoth("left", "right", 0), raiseBoth("right", "left", 1)]);
  expect([await valueOf("left"), await valueOf("right")]).toEqual([2n, 2n]);
  expect(runs).toBe(3);
});

test.each(["40P01", "40001"])("after SQLSTATE %s the work runs three times at the most", async (sqlState) => {
  let runs = 0;
  const call = db.database.transaction(async (tx) => {
    runs += 1;
    await tx.query(raise(sqlState));
  });
  await expect(call).rejects.toMatchObject({ code: sqlState });
  expect(runs).toBe(3);
});

test("no other error is retried", async () => {
  let runs = 0;
  const call = db.database.transaction(async (tx) => {
    runs += 1;
    await tx.query("insert into counters values ('left', 0)");
  });
  await expect(call).rejects.toMatchObject({ code: "23505" });
  expect(runs).toBe(1);
});

test.each(["40P01", "23505"])(
  "a failure of the class %s is what a transaction fails with, however soon the statements after it are refused",
  async (state) => {
    let runs = 0;
    const call = db.database.transaction(async (tx) => {
      runs += 1;
      const failing = async (): Promise<unknown> => tx.query(raise(state));
      const laterThanItsNeighbour = async (): Promise<unknown> => failing();
      await Promise.all([laterThanItsNeighbour(), tx.query("select 1")]);
    });
    await expect(call).rejects.toMatchObject({ code: state });
    expect(runs).toBe(state === "40P01" ? 3 : 1);
  },
);

test("when one branch of a transaction fails, what another one still sends is refused and nothing of it is stored", async () => {
  const other = Promise.withResolvers<unknown>();
  const call = db.database.transaction(async (tx) => {
    const slow = async (): Promise<void> => {
      await tx.query("select pg_sleep(0.1)");
      await tx.query("insert into counters values ('escaped', 1)");
    };
    const watched = slow().catch((error: unknown) => {
      other.resolve(error);
      throw error;
    });
    await Promise.all([watched, Promise.reject(new Error("the other branch"))]);
  });
  await expect(call).rejects.toThrow("the other branch");
  expect(await other.promise).toMatchObject({
    name: "AssertionError",
    message: expect.stringContaining("transaction has ended") as string,
  });
  expect(await valueOf("escaped")).toBeUndefined();
});

test("of statements that were sent together the first failure counts, whichever branch throws first", async () => {
  let tries = 0;
  const call = db.database.transaction(async (tx) => {
    tries += 1;
    // The more awaits a failure passes, the later it arrives.
    const failing = tx.query(raise("40P01")).finally(() => undefined);
    await Promise.all([failing, tx.query("select 1")]);
  });
  await expect(call).rejects.toMatchObject({ code: "40P01" });
  expect(tries).toBe(3);
});

test("an error reaches the caller only when every statement that was under way has ended", async () => {
  const single = openSingle();
  let isDone = false;
  const call = single.transaction(async (tx) => {
    const slow = tx.query("select pg_sleep(0.2)").then(() => {
      isDone = true;
    });
    await Promise.all([slow, Promise.reject(new Error("no"))]);
  });
  await expect(call).rejects.toThrow("no");
  expect(isDone).toBe(true);
});

test.each([
  ["committed", async (): Promise<void> => undefined],
  ["rolled back", (): Promise<void> => Promise.reject(new Error("no"))],
])("a transaction that was %s refuses every later statement, those of the job queue too", async (_, work) => {
  let kept: Transaction | undefined;
  await db.database
    .transaction(async (tx) => {
      kept = tx;
      await work();
    })
    .catch(() => undefined);
  await expect(kept?.query("select 1")).rejects.toThrow("transaction has ended");
  await expect(kept?.send({ text: "select 1" })).rejects.toThrow("transaction has ended");
});

test("a transaction whose work ends before its statements do is rolled back as a bug", async () => {
  const call = db.database.transaction((tx) => {
    void tx.query("insert into counters values ('not awaited', 1)");
    return Promise.resolve();
  });
  await expect(call).rejects.toThrow("not awaited");
  expect(await valueOf("not awaited")).toBeUndefined();
});

test("a transaction whose failed statement was ignored is an error: it committed nothing", async () => {
  const call = db.database.transaction(async (tx) => {
    await tx.query("insert into counters values ('ignored', 1)");
    await tx.query("select 1/0").catch(() => undefined);
  });
  await expect(call).rejects.toThrow("rolled back");
  expect(await valueOf("ignored")).toBeUndefined();
});

test("the mark of a transaction stands across awaits and in what it starts, and nowhere else", async () => {
  const inside = Promise.withResolvers<void>();
  const leave = Promise.withResolvers<void>();
  const seen: Record<string, boolean> = { before: isInsideTransaction() };
  const running = db.database.transaction(async (tx) => {
    seen["at its start"] = isInsideTransaction();
    await tx.query("select 1");
    await new Promise((resolve) => setImmediate(resolve));
    seen["after awaits"] = isInsideTransaction();
    await Promise.all(
      [1, 2].map(async (branch) => {
        await tx.query("select 1");
        seen[`in branch ${branch}`] = isInsideTransaction();
      }),
    );
    inside.resolve();
    await leave.promise;
  });
  await inside.promise;
  seen["in a neighbour"] = isInsideTransaction();
  seen["in a neighbour's query"] = await db.database.query("select 1").then(() => isInsideTransaction());
  leave.resolve();
  await running;
  seen["afterwards"] = isInsideTransaction();
  await db.database.transaction(() => Promise.reject(new Error("no"))).catch(() => undefined);
  seen["after an error"] = isInsideTransaction();
  expect(
    Object.entries(seen)
      .filter(([, mark]) => mark)
      .map(([where]) => where),
  ).toEqual(["at its start", "after awaits", "in branch 1", "in branch 2"]);
});

test("the state of an error is its SQLSTATE or the system's code; what says not now is told from what says no", () => {
  expect(sqlStateOf({ code: "23505" })).toBe("23505");
  expect([sqlStateOf(undefined), sqlStateOf("23505"), sqlStateOf({ code: 7 })]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
  for (const code of ["08006", "53300", "57P01", "ECONNREFUSED", "ECONNRESET", "EPIPE"])
    expect(isUnavailable({ code })).toBe(true);
  for (const code of ["23505", "40001", "22P02", "PL001"]) expect(isUnavailable({ code })).toBe(false);
  expect(isUnavailable(new Error("Connection terminated unexpectedly"))).toBe(true);
  expect(isUnavailable(new Error("a bug"))).toBe(false);
});
