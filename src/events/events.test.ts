import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";
import { newOrder } from "../../test/support/order-rows.ts";
import { dropPartitions } from "./queries.ts";
import { followEvents, readEvents, selectEvent, type EventCursor, type EventPage } from "./events.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterAll(() => db.drop());

/** Where what is written from here on begins. */
let start: EventCursor;
beforeEach(async () => {
  await tick();
  start = (await readAll(null)).cursor;
});

const write = (subject: string, at = "clock_timestamp()", count = 1): string =>
  `insert into events (type, subject_type, subject_id, occurred_at, data)
   select 'checkout.created', 'checkout', '${subject}', ${at}, '{}' from generate_series(1, ${count})`;
const tick = (): Promise<unknown> => db.asOwner("select take_tick(true)");
const subjectsOf = ({ events }: EventPage): string[] => events.map(({ subject_id }) => subject_id);

async function readAll(from: EventCursor | null): Promise<EventPage> {
  let page = await readEvents(db.database, from, 10_000);
  while (page.has_more) page = await readEvents(db.database, page.cursor, 10_000);
  return page;
}

test("an event that commits after one with a higher number is read, once, in the next piece", async () => {
  await db.database.transaction(async (late) => {
    await late.query(write("late"));
    await db.database.query(write("early"));
    await tick();
    expect(subjectsOf(await readEvents(db.database, start, 10))).toEqual(["early"]);
  });
  const first = await readEvents(db.database, start, 1);
  await tick();
  const next = await readEvents(db.database, first.cursor, 10);
  expect([...subjectsOf(first), ...subjectsOf(next)]).toEqual(["early", "late"]);
  expect((await readEvents(db.database, next.cursor, 10)).events).toEqual([]);
});

test("a long piece is read in pages, each going on within it where the last one ended", async () => {
  await db.asService(write("paged", undefined, 7));
  await tick();
  const pages: EventPage[] = [await readEvents(db.database, start, 3)];
  await db.asService(write("later"));
  await tick();
  for (let page = pages[0]; page?.has_more; page = pages.at(-1))
    pages.push(await readEvents(db.database, page.cursor, 3));
  expect(pages.map(subjectsOf)).toEqual([
    ["paged", "paged", "paged"],
    ["paged", "paged", "paged"],
    ["paged", "later"],
  ]);
  const numbers = pages.flatMap(({ events }) => events.map(({ event_number }) => event_number));
  expect(new Set(numbers).size).toBe(8);
});

test("a tick of which a reader stands in the middle may be pruned: then some events come again, none is lost", async () => {
  await db.asService(write("pruned", undefined, 3));
  await tick();
  const { cursor } = await readEvents(db.database, start, 2);
  await db.asService(write("after"));
  await tick();
  await db.asOwner("delete from ticks where tick = $1", [cursor.until_tick]);
  expect(subjectsOf(await readEvents(db.database, cursor, 10))).toEqual([
    "pruned",
    "pruned",
    "pruned",
    "after",
  ]);
});

test("an order's change of state is an event, read in one stream with the others", async () => {
  const id = await newOrder(db);
  await db.asService(write(id));
  await tick();
  const page = await readEvents(db.database, start, 10);
  expect(page.events).toMatchObject([
    { type: "payment_order.created", subject_id: id, data: { status: "NOT_STARTED", amount_minor: "100" } },
    { type: "checkout.created", subject_id: id },
  ]);
  const filtered = await readEvents(db.database, start, 10, { subject: { type: "payment_order", id } });
  expect(filtered.events).toEqual(page.events.slice(0, 1));
});

test("a follower that fails gets the same events again, and none twice once it has moved", async () => {
  const seen: string[] = [];
  await db.asService(write("followed"));
  await tick();
  expect(await followEvents(db.database, "one", async () => undefined)).toBe(0);
  await expect(
    followEvents(db.database, "one", async () => {
      throw new Error("not now");
    }),
  ).rejects.toThrow("not now");
  for (let turn = 0; turn < 3; turn++)
    await followEvents(db.database, "one", async (_tx, events) => {
      seen.push(...events.map(({ subject_id }) => subject_id));
    });
  expect(seen.filter((subject) => subject === "followed")).toEqual(["followed"]);
});

test("old weeks are dropped once a tick has all their events; who had not read them is told so", async () => {
  await db.asOwner(
    `alter table events detach partition events_default;
     create table events_20200106 partition of events for values from ('2020-01-06') to ('2020-01-13');
     select events_guard('events_20200106');
     alter table events attach partition events_default default;`,
  );
  await db.asService(write("kept"));
  await db.asService(write("old", "timestamptz '2020-01-08'"));
  await db.asService(write("of no week", "timestamptz '2021-01-08'"));
  await tick();
  await expect(db.asOwner("update events_20200106 set version = 2")).rejects.toMatchObject({ code: "PL002" });
  const page = await readEvents(db.database, start, 10);
  expect(subjectsOf(page)).toEqual(["kept", "old", "of no week"]);
  await db.asOwner("update ticks set taken_at = taken_at - interval '100 days'");
  expect(await dropPartitions(db.database, 90)).toBe(0);
  await db.database.transaction(async (open) => {
    // What this one writes has a time from before the ticks.
    await open.query("select pg_current_xact_id()");
    await tick();
    await tick();
    expect(await dropPartitions(db.database, 90)).toBe(0);
  });
  // Other tests' transactions are open in this cluster: until they end, a tick cannot have all events.
  let dropped = 0;
  for (let tries = 0; tries < 100 && dropped === 0; tries++) {
    await tick();
    dropped = await dropPartitions(db.database, 90);
  }
  expect(dropped).toBe(2);
  await expect(readEvents(db.database, start, 10)).rejects.toMatchObject({ code: "events_expired" });
  await db.asService(write("new"));
  await tick();
  expect(subjectsOf(await readEvents(db.database, null, 10))).toEqual(["new"]);
  const [kept, old] = page.events;
  expect(await selectEvent(db.database, old?.event_number ?? 0n)).toBeUndefined();
  expect(await selectEvent(db.database, kept?.event_number ?? 0n)).toEqual(kept);
});

test("events are never dropped before they are a week old", async () => {
  await expect(dropPartitions(db.database, 6)).rejects.toThrow("at least seven days");
});
