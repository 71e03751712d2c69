import { connect, createServer, type Socket } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, expect, onTestFinished, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";
import { Database, type Transaction } from "./database.ts";
import { GroupCommit, type GroupCommitOptions } from "./group-commit.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
  await db.asOwner(
    "create table items (name text primary key check (name <> 'bad'), written_count integer not null default 1)",
  );
  await db.asOwner("grant select, insert, update on items to " + db.service_role);
});
beforeEach(() => db.asOwner("truncate items"));
afterEach(async () => {
  const twice = await db.asOwner("select name from items where written_count <> 1");
  expect(twice).toEqual([]);
});
afterAll(() => db.drop());

/** Writes each name once and says which were there before: an idempotent flush, as the contract asks. */
async function writeItems(tx: Transaction, names: readonly string[]): Promise<string[]> {
  const rows = await tx.query<{ name: string }>(
    "insert into items (name) select unnest($1::text[]) on conflict do nothing returning name",
    [[...new Set(names)]],
  );
  const written = new Set(rows.map((row) => row.name));
  return names.map((name) => `${name} ${written.has(name) ? "written" : "known"}`);
}

/** A group over `items` that also notes the batches it was given. */
function openGroup(options: Partial<GroupCommitOptions<string, string>> = {}): {
  group: GroupCommit<string, string>;
  batches: string[][];
} {
  const batches: string[][] = [];
  const flush = options.flush ?? writeItems;
  const group = new GroupCommit<string, string>({
    name: "test",
    database: db.database,
    ...options,
    flush: (tx, items) => (batches.push([...items]), flush(tx, items)),
  });
  return { group, batches };
}

/** Holds flushes back until it is opened; `entered` resolves when the first one waits. */
function gate(): { entered: Promise<void>; open(): void; pass(): Promise<void> } {
  const entered = Promise.withResolvers<void>();
  const opened = Promise.withResolvers<void>();
  return { entered: entered.promise, open: opened.resolve, pass: () => (entered.resolve(), opened.promise) };
}

const names = async (): Promise<string[]> =>
  (await db.asOwner("select name from items order by name")).map((row) => String(row["name"]));
const outcomes = async (calls: readonly Promise<string>[]): Promise<string[]> =>
  (await Promise.allSettled(calls)).map((call) => (call.status === "fulfilled" ? call.value : "refused"));

test("every caller gets the result of its own item, and the items stay in their order", async () => {
  const { group, batches } = openGroup();
  const items = Array.from({ length: 300 }, (_, index) => `item-${String(index).padStart(3, "0")}`);
  expect(await Promise.all(items.map((item) => group.submit(item)))).toEqual(
    items.map((item) => `${item} written`),
  );
  expect(batches.flat()).toEqual(items);
  expect(batches).toHaveLength(1);
  expect(await names()).toEqual(items);
});

test("a caller hears of its item only after the commit", async () => {
  const { group } = openGroup();
  await group.submit("visible");
  expect(await names()).toEqual(["visible"]);
});

test("items that arrive during a flush form the next one together", async () => {
  const held = gate();
  const { group, batches } = openGroup({
    flush: async (tx, items) => (await held.pass(), writeItems(tx, items)),
  });
  const first = group.submit("first");
  await held.entered;
  const later = ["b", "c", "d"].map((item) => group.submit(item));
  held.open();
  await Promise.all([first, ...later]);
  expect(batches).toEqual([["first"], ["b", "c", "d"]]);
});

test("a batch is not larger than its bound", async () => {
  const { group, batches } = openGroup({ batch_items_max: 4 });
  await Promise.all(Array.from({ length: 10 }, (_, index) => group.submit(`item-${index}`)));
  expect(batches.map((batch) => batch.length)).toEqual([4, 4, 2]);
});

test("a lone item is not delayed: it costs a transaction and no timer", async () => {
  const { group } = openGroup();
  const times: number[] = [];
  for (let i = 0; i < 10; i++) {
    const start = performance.now();
    await group.submit(`lone-${i}`);
    times.push(performance.now() - start);
  }
  expect(Math.min(...times)).toBeLessThan(20);
});

test("one bad item fails alone, and its neighbours are committed once", async () => {
  const { group, batches } = openGroup();
  const calls = ["a", "bad", "b", "c"].map((item) => group.submit(item));
  expect(await outcomes(calls)).toEqual(["a written", "refused", "b written", "c written"]);
  await expect(calls[1]).rejects.toMatchObject({ code: "23514" });
  expect(batches).toEqual([["a", "bad", "b", "c"], ["a"], ["bad"], ["b"], ["c"]]);
  expect(await names()).toEqual(["a", "b", "c"]);
});

test("when all fail each caller gets its own error, nothing is written, and the next item works", async () => {
  const { group } = openGroup({
    flush: async (tx, items) => {
      const results = await writeItems(tx, items);
      if (items.some((item) => item.startsWith("fail"))) throw new Error(`cannot write ${items.join()}`);
      return results;
    },
  });
  const calls = ["fail-1", "fail-2"].map((item) => group.submit(item));
  await expect(calls[0]).rejects.toThrow("cannot write fail-1");
  await expect(calls[1]).rejects.toThrow("cannot write fail-2");
  expect(await names()).toEqual([]);
  expect(await group.submit("fine")).toBe("fine written");
});

test("a flush that gives too few results is an error, and nothing of it is committed", async () => {
  const { group } = openGroup({ flush: async (tx, items) => (await writeItems(tx, items)).slice(1) });
  await expect(group.submit("lost")).rejects.toThrow("0 results for 1 items");
  expect(await names()).toEqual([]);
});

test("a connection that the server ends during a flush loses nothing and doubles nothing", async () => {
  let isEnded = false;
  const { group, batches } = openGroup({
    flush: async (tx, items) => {
      const results = await writeItems(tx, items);
      if (!isEnded) {
        isEnded = true;
        const [backend] = await tx.query<{ pid: number }>("select pg_backend_pid() as pid");
        await db.asOwner("select pg_terminate_backend($1)", [backend?.pid]);
        await tx.query("select pg_sleep(5)");
      }
      return results;
    },
  });
  expect(await outcomes(["a", "b", "c"].map((item) => group.submit(item)))).toEqual([
    "a written",
    "b written",
    "c written",
  ]);
  expect(batches).toEqual([["a", "b", "c"], ["a"], ["b"], ["c"]]);
  expect(await names()).toEqual(["a", "b", "c"]);
});

test("a commit whose answer is lost is found again: the items are tried one by one and not doubled", async () => {
  const proxy = await openProxyThatLosesACommit(db.service_url);
  const database = new Database({ url: proxy.url, application_name: "test", connections_max: 2 });
  onTestFinished(async () => {
    await database.close();
    await proxy.close();
  });
  const { group, batches } = openGroup({ database });
  expect(await group.submit("before")).toBe("before written");
  proxy.loseNextCommit();
  expect(await outcomes(["a", "b", "c"].map((item) => group.submit(item)))).toEqual([
    "a known",
    "b known",
    "c known",
  ]);
  expect(batches).toEqual([["before"], ["a", "b", "c"], ["a"], ["b"], ["c"]]);
  expect(await names()).toEqual(["a", "b", "before", "c"]);
});

test("an item that loses a race for each of its rows is written as soon as it finds them all", async () => {
  const rows = ["x", "y", "z"];
  const raced = [...rows];
  const { group, batches } = openGroup({
    flush: async (tx, items) => {
      const known = await names();
      for (const row of raced.splice(0, 1)) await db.asOwner("insert into items (name) values ($1)", [row]);
      const added = rows.filter((row) => !known.includes(row));
      for (const row of added) await tx.query("insert into items (name) values ($1)", [row]);
      return items;
    },
  });
  expect(await group.submit("all")).toBe("all");
  expect(batches).toHaveLength(rows.length + 1);
});

test("close decides what was handed over and refuses what comes after", async () => {
  const held = gate();
  const { group } = openGroup({
    batch_items_max: 2,
    flush: async (tx, items) => (await held.pass(), writeItems(tx, items)),
  });
  const calls = ["a", "b", "c", "d", "e"].map((item) => group.submit(item));
  await held.entered;
  const closed = group.close();
  await expect(group.submit("late")).rejects.toMatchObject({
    code: "unavailable",
    status: 503,
    retry_after_seconds: 1,
  });
  held.open();
  await closed;
  expect(await names()).toEqual(["a", "b", "c", "d", "e"]);
  expect(await outcomes(calls)).toHaveLength(5);
});

test("close of an idle group resolves at once, also twice", async () => {
  const { group } = openGroup();
  await group.close();
  await group.close();
  await expect(group.submit("late")).rejects.toMatchObject({ code: "unavailable" });
});

test("more waiting items than the bound are refused with 503, and room comes back", async () => {
  const held = gate();
  const { group } = openGroup({
    waiting_items_max: 2,
    flush: async (tx, items) => (await held.pass(), writeItems(tx, items)),
  });
  const running = group.submit("running");
  await held.entered;
  const waiting = [group.submit("waiting-1"), group.submit("waiting-2")];
  await expect(group.submit("one-too-many")).rejects.toMatchObject({
    code: "unavailable",
    status: 503,
    retry_after_seconds: 1,
  });
  held.open();
  await Promise.all([running, ...waiting]);
  expect(await group.submit("room-again")).toBe("room-again written");
  expect(await names()).toEqual(["room-again", "running", "waiting-1", "waiting-2"]);
});

type CommitLosingProxy = { readonly url: string; loseNextCommit(): void; close(): Promise<void> };

/**
 * Stands between driver and server; drops the connection when the server has answered a COMMIT, without
 * passing the answer on.
 */
async function openProxyThatLosesACommit(serverUrl: string): Promise<CommitLosingProxy> {
  const { hostname, port } = new URL(serverUrl);
  const sockets = new Set<Socket>();
  let isArmed = false;
  const proxy = createServer((client) => {
    const server = connect(Number(port), hostname);
    let isCommitSent = false;
    for (const socket of [client, server]) sockets.add(socket.on("error", () => undefined));
    client.on("data", (chunk) => {
      isCommitSent = isArmed && chunk.includes("commit");
      server.write(chunk);
    });
    server.on("data", (chunk) => {
      if (!isCommitSent) return client.write(chunk);
      isArmed = false;
      server.destroy();
      return client.destroy();
    });
    client.on("close", () => server.destroy());
    server.on("close", () => client.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const address = proxy.address();
  if (address === null || typeof address === "string") throw new Error("a proxy without a port");
  const url = new URL(serverUrl);
  url.hostname = "127.0.0.1";
  url.port = String(address.port);
  return {
    url: url.toString(),
    loseNextCommit: () => {
      isArmed = true;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => proxy.close(resolve));
    },
  };
}
