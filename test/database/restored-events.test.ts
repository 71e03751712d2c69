import { afterAll, beforeAll, expect, test } from "vitest";
import { beginEpochIfRestored, type Database } from "../../src/db/db.ts";
import { followEvents, readEvents, type EventCursor } from "../../src/events/events.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { openEmbeddedServers, type EmbeddedServers } from "../support/embedded-servers.ts";
import { copyDatabase } from "../support/copy-database.ts";

let db: TestDatabase;
let servers: EmbeddedServers;
let restored: TestDatabase | undefined;
beforeAll(async () => {
  db = await createTestDatabase();
  servers = await openEmbeddedServers();
}, 60_000);
afterAll(async () => {
  await restored?.drop();
  await servers.close();
  await db.drop();
});

const write = (subject: string): string =>
  `insert into events (type, subject_type, subject_id, data)
   values ('checkout.created', 'checkout', '${subject}', '{}')`;

async function follow(database: Database): Promise<string[]> {
  const seen: string[] = [];
  for (let turn = 0; turn < 3; turn++)
    await followEvents(database, "restored", async (_tx, events) => {
      seen.push(...events.map(({ subject_id }) => subject_id));
    });
  return seen;
}

test("in another server, which counts transactions from below, a follower neither misses nor repeats an event", async () => {
  // So that the numbers of what is stored are far above the other server's.
  await db.asOwner(
    "do $$ begin for i in 1..3000 loop perform pg_current_xact_id(); commit; end loop; end $$",
  );
  await db.asService(write("before"));
  await db.asOwner("select take_tick(true)");
  expect(await follow(db.database)).toEqual(["before"]);
  await db.asService(write("not followed yet"));
  await db.asOwner("select take_tick(true)");
  await db.asService(write("of no tick yet"));

  const other = await servers.start(`${servers.base}/other`);
  restored = await createTestDatabase(other.superuser_url);
  await copyDatabase(db.url, restored.url);
  // What the dump lacks was read by somebody.
  await db.asService(write("lost"));
  await db.asOwner("select take_tick(true)");
  let lost: EventCursor | null = null;
  for (let turn = 0; turn < 2; turn++) ({ cursor: lost } = await readEvents(db.database, lost, 100));

  await beginEpochIfRestored(restored.service_url);
  await beginEpochIfRestored(restored.service_url);
  expect(await restored.asOwner("select epoch from xid_epochs")).toHaveLength(2);
  await restored.asService(write("after"));
  await restored.asOwner("select take_tick(true)");
  expect(await follow(restored.database)).toEqual(["not followed yet", "of no tick yet", "after"]);
  const { events } = await readEvents(restored.database, lost, 100);
  expect(events.map(({ subject_id }) => subject_id)).toContain("after");
  const [number] = await restored.asOwner(
    "select max(event_number) as n, min(event_number) as m from events",
  );
  expect(BigInt(String(number?.["n"])) - BigInt(String(number?.["m"]))).toBeGreaterThan(1n << 32n);
}, 120_000);
