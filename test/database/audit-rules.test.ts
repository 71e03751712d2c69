import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterAll(() => db.drop());

const columns = "actor, action, subject_type, subject_id, before, after, reason, request_id";

function insert(changes: Readonly<Record<string, unknown>> = {}): Promise<unknown[]> {
  const row = {
    actor: "key:key_1",
    action: "payment_order.cancel",
    subject_type: "payment_order",
    subject_id: "order-1",
    before: null,
    after: '{"status": "CANCELED"}',
    reason: "wrong size",
    request_id: "req_1",
    ...changes,
  };
  return db.asService(
    `insert into audit_log (${columns}) values ($1, $2, $3, $4, $5, $6, $7, $8) returning audit_id`,
    Object.values(row),
  );
}

describe("the audit log", () => {
  test("takes rows from the service, which cannot change, delete or empty them", async () => {
    await insert();
    for (const statement of [
      "update audit_log set actor = 'x'",
      "delete from audit_log",
      "truncate audit_log",
    ]) {
      await expect(db.asService(statement)).rejects.toMatchObject({ code: "42501" });
    }
  });

  test("refuses changes by its owner too", async () => {
    await insert();
    for (const statement of [
      "update audit_log set actor = 'x'",
      "delete from audit_log",
      "truncate audit_log",
    ]) {
      await expect(db.asOwner(statement)).rejects.toMatchObject({ code: "PL002" });
    }
  });

  test("lets the service choose neither the time nor the number of a row", async () => {
    for (const [column, value] of [
      ["occurred_at", "now() - interval '1 year'"],
      ["audit_id", "1000000"],
    ]) {
      await expect(
        db.asService(
          `insert into audit_log (${column}, actor, action, subject_type, subject_id) overriding system value
         values (${value}, 'a', 'a.b', 'a', 'a')`,
        ),
      ).rejects.toMatchObject({ code: "42501" });
    }
  });

  test.for<[string, string]>([
    ["actor", ""],
    ["actor", "a".repeat(256)],
    ["action", "cancel"],
    ["action", `a.${"b".repeat(63)}`],
    ["subject_type", "Order 1"],
    ["subject_id", ""],
    ["subject_id", "a".repeat(401)],
    ["before", JSON.stringify({ text: "a".repeat(8_200) })],
    ["after", JSON.stringify({ text: "a".repeat(8_200) })],
    ["reason", ""],
    ["reason", "a".repeat(1_001)],
    ["request_id", ""],
    ["request_id", "a".repeat(65)],
  ])("bounds %s: refuses %.20s", async ([column, value]) => {
    await expect(insert({ [column]: value })).rejects.toMatchObject({ code: "23514" });
  });
});
