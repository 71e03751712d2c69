import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { runEventStorm } from "./event-storm.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterAll(() => db.drop());

test("while 64 writers race and commit late, followers see each event once and in order, also one that is killed", async () => {
  const result = await runEventStorm(db, { seconds: 6, seed: 7 });
  expect(result.faults).toEqual([]);
  expect(result.kills).toBeGreaterThanOrEqual(2);
  expect(result.written).toBeGreaterThan(500);
  // Without those the storm would have been no storm.
  expect(result.missed_by_number).toBeGreaterThan(0);
}, 60_000);
