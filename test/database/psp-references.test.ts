import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { Database } from "../../src/db/db.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterAll(() => db.drop());

type Reference = { psp: string; reference: string; type: string; subject_id: string };
const charge = (reference: string, subject_id: string, psp = "stripe"): Reference => ({
  psp,
  reference,
  type: "charge",
  subject_id,
});
const add = (...references: readonly Reference[]): Promise<Record<string, unknown>[]> =>
  db.asService("select * from psp_references_add($1)", [JSON.stringify(references)]);
const subjectsOf = async (reference: string): Promise<unknown[]> =>
  db.asService("select psp, subject_id from psp_references where reference = $1 order by psp", [reference]);

test("an id that is known for the same thing is not written again", async () => {
  expect(await add(charge("ch_same", "att_1"))).toEqual([]);
  const version = "select xmin::text, ctid::text, created_at from psp_references where reference = 'ch_same'";
  const before = await db.asService(version);
  expect(await add(charge("ch_same", "att_1"))).toEqual([]);
  expect(await db.asService(version)).toEqual(before);
});

test("an id never stands for two things of an account: the second is given back, and its neighbours are stored", async () => {
  await add(charge("ch_taken", "att_1"));
  expect(
    await add(charge("ch_before", "att_2"), charge("ch_taken", "att_2"), charge("ch_zafter", "att_2")),
  ).toEqual([{ ...charge("ch_taken", "att_2"), known_subject_id: "att_1" }]);
  expect(await subjectsOf("ch_taken")).toEqual([{ psp: "stripe", subject_id: "att_1" }]);
  expect(await subjectsOf("ch_before")).toHaveLength(1);
  expect(await subjectsOf("ch_zafter")).toHaveLength(1);
});

test("two things that claim one id in the same batch: the id stands for one, the other is given back", async () => {
  const conflicts = await add(charge("ch_both", "att_1"), charge("ch_both", "att_2"));
  const [stored] = await subjectsOf("ch_both");
  expect(conflicts).toHaveLength(1);
  expect(conflicts[0]?.["known_subject_id"]).toBe((stored as { subject_id: string }).subject_id);
});

test("another account may give the same id to something else", async () => {
  expect(await add(charge("ch_two", "att_1", "stripe-eu"), charge("ch_two", "att_2", "stripe-us"))).toEqual(
    [],
  );
  expect(await subjectsOf("ch_two")).toEqual([
    { psp: "stripe-eu", subject_id: "att_1" },
    { psp: "stripe-us", subject_id: "att_2" },
  ]);
});

test.each([
  ["a type that no PSP has", { ...charge("ch_x", "att_1"), type: "mandate" }],
  ["something that is neither an attempt nor an operation", charge("ch_x", "order_1")],
  ["no id", charge("", "att_1")],
])("the database refuses %s", async (_what, reference) => {
  await expect(add(reference)).rejects.toMatchObject({ code: "23514" });
});

test.each([
  "update psp_references set subject_id = 'att_9'",
  "delete from psp_references",
  "truncate psp_references",
])("the service cannot change what an id stands for: %s", async (statement) => {
  await expect(db.asService(statement)).rejects.toMatchObject({ code: "42501" });
});

// As of a table without statistics, which a first day or a restored backup has.
test("ids are stored and found by the table's indexes only", async () => {
  const session = new Database({ url: db.service_url, application_name: "test", connections_max: 1 });
  const batch = (round: number): string =>
    JSON.stringify(Array.from({ length: 200 }, (_, n) => charge(`ch_${round}_${n}`, `att_${round}_${n}`)));
  for (let round = 0; round < 20; round++) {
    await session.query("select * from psp_references_add($1)", [batch(round)]);
    await session.query("select * from psp_references_add($1)", [batch(round)]);
  }
  await session.close();
  await vi.waitFor(async () => {
    const [scans] = await db.asOwner(
      "select seq_scan::int, idx_scan::int from pg_stat_user_tables where relname = 'psp_references'",
    );
    expect(scans?.["idx_scan"]).toBeGreaterThan(4_000);
  });
  await db.asOwner("analyze psp_references");
  for (const condition of ["psp = 'stripe' and reference = 'ch_7_7'", "subject_id = 'att_7_7'"]) {
    const plan = await db.asService(`explain select * from psp_references where ${condition}`);
    expect(JSON.stringify(plan)).toMatch(/Index (Only )?Scan using psp_references_/);
  }
});
