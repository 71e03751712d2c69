import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { isClientId } from "../../src/http/client-id.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterAll(() => db.drop());

/** What the database says of each text, with the rights of the service. */
async function verdictsOf(texts: readonly string[]): Promise<boolean[]> {
  const rows = await db.asService(
    "select is_client_id(t.id) as verdict from unnest($1::text[]) with ordinality as t (id, number) order by t.number",
    [texts],
  );
  return rows.map((row) => row["verdict"] === true);
}

test("the database and the HTTP door agree about every single character of the basic plane and the tags", async () => {
  const characters = [
    ...Array.from({ length: 0xffff }, (_, index) => index + 1),
    0xdffff,
    0xe0000,
    0xe0041,
    0xe0fff,
    0xe1000,
    0x1f600,
    0x10ffff,
  ]
    .filter((code) => code < 0xd800 || code > 0xdfff)
    .map((code) => String.fromCodePoint(code));
  for (const shape of [(text: string) => text, (text: string) => `a${text}b`]) {
    const texts = characters.map(shape);
    const verdicts = await verdictsOf(texts);
    expect(texts.filter((text, index) => isClientId(text) !== verdicts[index])).toEqual([]);
    expect(verdicts).toContain(true);
    expect(verdicts).toContain(false);
  }
});

test("the database and the HTTP door agree about texts of every length and make", async () => {
  const parts = fc.constantFrom(
    " ",
    ".",
    "x",
    "é",
    "中",
    "😀",
    "\u200b",
    "\u00a0",
    "x".repeat(84),
    "中".repeat(40),
  );
  const texts = fc.sample(
    fc.array(parts, { maxLength: 8 }).map((some) => some.join("")),
    { numRuns: 20_000, seed: 8 },
  );
  const verdicts = await verdictsOf(texts);
  expect(texts.filter((text, index) => isClientId(text) !== verdicts[index])).toEqual([]);
});

test.for([
  ["payment_events", "checkout_id"],
  ["payment_orders", "payment_order_id"],
  ["payment_orders", "buyer_account"],
  ["payment_orders", "seller_account"],
  ["operations", "capture_id"],
  ["events", "subject_id"],
  ["events", "checkout_id"],
  ["events", "seller_account"],
  ["ledger_accounts", "owner_id"],
] as const)("%s.%s takes ids of this alphabet only", async ([table, column]) => {
  const [row] = await db.asOwner(
    "select format_type(atttypid, null) as type from pg_attribute where attrelid = $1::regclass and attname = $2",
    [table, column],
  );
  expect(row).toEqual({ type: "client_id" });
});

test("a client_id is a text that is_client_id accepts", async () => {
  await expect(db.asOwner("select 'a'::client_id")).resolves.toHaveLength(1);
  await expect(db.asOwner("select 'a ' :: client_id")).rejects.toThrow("client_id_check");
});
