import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";
import { followEvents, readEvents } from "./events.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterAll(() => db.drop());

const write = (subject: string): string =>
  `insert into events (xid, type, subject_type, subject_id, data)
   select current_xid(), 'checkout.created', 'checkout', '${subject}', '{}'`;

test("an event that commits after one with a higher number is read, once, in the next piece", async () => {
  await db.database.transaction(async (late) => {
    await late.query(write("late"));
    await db.database.query(write("early"));
    await db.asOwner("select take_tick(false)");
    const first = await readEvents(db.database, null, 10);
    expect(first.events.map(({ subject_id }) => subject_id)).toEqual(["early"]);
  });
  const first = await readEvents(db.database, null, 1);
  await db.asOwner("select take_tick(false)");
  const next = await readEvents(db.database, first.cursor, 10);
  expect(first.events.concat(next.events).map(({ subject_id }) => subject_id)).toEqual(["early", "late"]);
  expect((await readEvents(db.database, next.cursor, 10)).events).toEqual([]);
});

test("a follower that fails gets the same events again, and none twice once it has moved", async () => {
  const seen: string[] = [];
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
  expect(seen.toSorted()).toEqual(["early", "late"]);
});
