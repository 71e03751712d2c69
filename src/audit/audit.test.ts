import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";
import { recordAudit, recordAudits, selectAudits, type AuditFilter, type NewAudit } from "./audit.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterAll(() => db.drop());

const change = (changes: Partial<NewAudit> = {}): NewAudit => ({
  actor: "key:key_1",
  action: "payment_order.cancel",
  subject_type: "payment_order",
  subject_id: "order-1",
  before: { status: "PENDING" },
  after: { status: "CANCELED", amount_minor: 12_345_678_901_234_567n },
  reason: "wrong size",
  request_id: "req_1",
  ...changes,
});

const idsOf = async (filter: Omit<AuditFilter, "limit">): Promise<string[]> =>
  (await selectAudits(db.database, { ...filter, limit: 100 })).map((row) => row.subject_id);

describe("recordAudit", () => {
  test("keeps who, what, before, after, why and the request", async () => {
    await db.database.transaction((tx) => recordAudit(tx, change({ subject_id: "kept" })));
    const [row] = await selectAudits(db.database, {
      subject: { type: "payment_order", id: "kept" },
      limit: 1,
    });
    expect(row).toMatchObject({
      actor: "key:key_1",
      action: "payment_order.cancel",
      before: { status: "PENDING" },
      after: { status: "CANCELED", amount_minor: "12345678901234567" },
      reason: "wrong size",
      request_id: "req_1",
    });
  });

  test("is rolled back with the change that it records", async () => {
    await expect(
      db.database.transaction(async (tx) => {
        await recordAudit(tx, change({ subject_id: "undone" }));
        throw new Error("the change failed");
      }),
    ).rejects.toThrow("the change failed");
    expect(await idsOf({ subject: { type: "payment_order", id: "undone" } })).toEqual([]);
  });

  test("keeps null where there was nothing before, nobody said why, or no request came", async () => {
    await db.database.transaction((tx) =>
      recordAudit(tx, change({ subject_id: "nothing", before: null, reason: null, request_id: null })),
    );
    const [row] = await selectAudits(db.database, {
      subject: { type: "payment_order", id: "nothing" },
      limit: 1,
    });
    expect(row).toMatchObject({ before: null, reason: null, request_id: null });
    expect(
      await db.asOwner("select before is null as is_null from audit_log where subject_id = 'nothing'"),
    ).toEqual([{ is_null: true }]);
  });
});

describe("selectAudits", () => {
  test("filters by actor, action, subject and time, newest first, and goes on behind a row", async () => {
    const by = (actor: string, action: string, subject_id: string): NewAudit =>
      change({ actor, action, subject_id, subject_type: "list" });
    await db.database.transaction((tx) =>
      recordAudits(tx, [by("key:a", "list.one", "1"), by("key:a", "list.two", "2")]),
    );
    await db.database.transaction((tx) =>
      recordAudits(tx, [by("key:b", "list.one", "3"), by("key:a", "list.one", "4")]),
    );
    expect(await idsOf({ actor: "key:a" })).toEqual(["4", "2", "1"]);
    expect(await idsOf({ action: "list.one" })).toEqual(["4", "3", "1"]);
    expect(await idsOf({ actor: "key:a", action: "list.one" })).toEqual(["4", "1"]);
    expect(await idsOf({ subject: { type: "list", id: "3" } })).toEqual(["3"]);
    expect(await idsOf({ subject: { type: "payment_order", id: "3" } })).toEqual([]);
    const [, second] = await selectAudits(db.database, { actor: "key:a", limit: 2 });
    if (second === undefined) throw new Error("two rows are missing");
    expect(await idsOf({ actor: "key:a", before: second })).toEqual(["1"]);
    expect(await idsOf({ actor: "key:a", occurred_until: second.occurred_at })).toEqual(["1"]);
    expect(await idsOf({ actor: "key:a", occurred_from: second.occurred_at })).toEqual(["4", "2"]);
  });

  test("reads every filter along an index", async () => {
    await db.asOwner(
      `insert into audit_log (actor, action, subject_type, subject_id)
       select 'key:' || n % 50, 'bulk.' || (array['one', 'two', 'three'])[n % 3 + 1], 'bulk', n::text
         from generate_series(1, 20000) n`,
    );
    await db.asOwner("analyze audit_log");
    const plans = [
      "true",
      "actor = 'key:none'",
      "action = 'bulk.none'",
      "actor = 'key:7' and action = 'bulk.none'",
      "subject_type = 'bulk' and subject_id = 'none'",
      "occurred_at < now() - interval '1 year'",
    ];
    for (const condition of plans) {
      const rows = await db.asOwner(
        `explain select * from audit_log where ${condition} order by occurred_at desc, audit_id desc limit 26`,
      );
      const plan = JSON.stringify(rows);
      expect(plan, condition).toMatch(/Index (Only )?Scan/);
      expect(plan, condition).not.toMatch(/Seq Scan|Filter:/);
    }
  });
});
