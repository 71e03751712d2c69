import { readFile } from "node:fs/promises";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { reversalsOf, type TransactionDraft } from "../../src/ledger/ledger.ts";
import { captureName, postingsOf } from "../../src/payments/posting/postings.ts";
import { attemptOf, insertOrder, postInOrder, type OrderFixture } from "../support/booked-orders.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { runScript } from "../support/psql-script.ts";

const examples = join(import.meta.dirname, "../../examples");
const commission_basis_points = 250n;
const operation_id = "op_00000000000000000000000001";

/** Captured at once. */
const paid: OrderFixture = {
  payment_order_id: "order_1",
  seller_account: "seller_ann",
  amount_minor: 2999n,
  currency: "USD",
  psp: "stripe",
  capture_method: "automatic",
  statuses: ["SUCCESS"],
  captured_minor: 2999n,
};
/** Authorised, captured in part, and the rest released. */
const captured: OrderFixture = {
  ...paid,
  payment_order_id: "order_2",
  amount_minor: 10_000n,
  capture_method: "manual",
  statuses: ["AUTHORIZED", "SUCCESS"],
  captured_minor: 6_000n,
};
/** Captured, and the money never came. */
const bounced: OrderFixture = {
  ...paid,
  payment_order_id: "order_3",
  seller_account: "seller_bob",
  amount_minor: 1_550n,
  currency: "EUR",
  psp: "adyen",
  statuses: ["SUCCESS", "FAILED"],
  captured_minor: 1_550n,
};
/** Paid, as it says, and not in the books. */
const unbooked: OrderFixture = {
  ...bounced,
  payment_order_id: "order_4",
  amount_minor: 900n,
  statuses: ["SUCCESS"],
  captured_minor: 900n,
};

let db: TestDatabase;
let client: pg.Client;
beforeAll(async () => {
  db = await createTestDatabase();
  client = new pg.Client({ connectionString: db.service_url });
  await client.connect();
  for (const order of [paid, captured, bounced, unbooked]) await insertOrder(db, order);
  await db.asService(
    `insert into operations (operation_id, kind, lane, is_final, psp, attempt_id, payment_order_id, capture_id, amount_minor,
                             currency, status, created_by)
     values ($1, 'capture', 'attempt:' || $2, true, 'stripe', $2, 'order_2', 'all-we-need', 6000, 'USD', 'succeeded', 'test')`,
    [operation_id, attemptOf(captured)],
  );
  await postInOrder(db, [
    ...booked(paid, "2026-03-01T10:00:00Z", { captures_minor: 2999n }),
    ...booked(captured, "2026-03-01T11:00:00Z", { authorizes_minor: 10_000n }),
    ...booked(captured, "2026-03-02T09:00:00Z", { captures_minor: 6_000n }, operation_id),
    ...booked(captured, "2026-03-02T15:00:00Z", { releases_minor: 4_000n }),
    ...booked(bounced, "2026-03-02T16:00:00Z", { captures_minor: 1_550n }),
  ]);
  const reversed = captureName({ ...bounced, operation_id: null, failed_capture_count: 0 });
  const reversals = await reversalsOf(db.database, [reversed], "the capture failed at the PSP");
  const effective_at = "2026-03-05T08:00:00Z";
  await postInOrder(
    db,
    reversals.map((draft) => ({ ...draft, effective_at })),
  );
});
afterAll(async () => {
  await client.end();
  await db.drop();
});

type Booking = Parameters<typeof postingsOf>[1];
const nothing: Booking = { authorizes_minor: 0n, captures_minor: 0n, releases_minor: 0n, undoes_minor: 0n };

/** What the service posts for this, as of a fixed time. */
function booked(
  order: OrderFixture,
  effective_at: string,
  booking: Partial<Booking>,
  ofOperation: string | null = null,
): TransactionDraft[] {
  const facts = { ...order, captured_minor: 0n, operation_id: ofOperation, failed_capture_count: 0 };
  const drafts = postingsOf(facts, { ...nothing, ...booking }, commission_basis_points);
  return drafts.map((draft) => ({ ...draft, effective_at }));
}

// After a change of the script: npm test -- test/database/ledger-examples.test.ts -u
test("examples/ledger.sql prints examples/ledger.txt", async () => {
  const script = await readFile(join(examples, "ledger.sql"), "utf8");
  const printed = await runScript(client, script);
  await expect(printed).toMatchFileSnapshot(join(examples, "ledger.txt"));
});
