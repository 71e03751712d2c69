import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { newOrder } from "../support/order-rows.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterAll(() => db.drop());

type Commission = { amount_minor: number; is_reversal: boolean; operation_id: string | null; failed: number };
const commission: Commission = { amount_minor: 75, is_reversal: false, operation_id: null, failed: 0 };

async function insert(order: string, changes: Partial<Commission> = {}): Promise<unknown> {
  const { operation_id, failed, amount_minor, is_reversal } = { ...commission, ...changes };
  return db.asService(
    `insert into commissions (payment_order_id, operation_id, failed_capture_count, component, rule, basis_points, amount_minor,
                              currency, is_reversal)
     values ($1, $2, $3, 'platform', 'default', 250, $4, 'USD', $5)`,
    [order, operation_id, failed, amount_minor, is_reversal],
  );
}

test("a capture has one commission of each component, and it is reversed once", async () => {
  const order = await newOrder(db);
  for (const changes of [{}, { operation_id: "op_1" }, { failed: 1 }]) {
    const reversal = { ...changes, amount_minor: -75, is_reversal: true };
    await insert(order, changes);
    await insert(order, reversal);
    for (const repeated of [changes, reversal])
      await expect(insert(order, repeated)).rejects.toMatchObject({
        constraint: "commissions_capture_index",
      });
  }
});

test("a commission is above 0 and its reversal below, and the capture of an operation has no other number", async () => {
  const order = await newOrder(db);
  for (const [amount_minor, is_reversal] of [
    [0, false],
    [-75, false],
    [0, true],
    [75, true],
  ] as const)
    await expect(insert(order, { amount_minor, is_reversal })).rejects.toMatchObject({
      constraint: "commissions_amount_check",
    });
  await expect(insert(order, { operation_id: "op_1", failed: 1 })).rejects.toMatchObject({
    constraint: "commissions_capture_check",
  });
});

test("nobody changes or deletes a commission, nor does the service change an order's rate", async () => {
  const order = await newOrder(db);
  await insert(order);
  for (const statement of [
    "update commissions set amount_minor = 1",
    "delete from commissions",
    "truncate commissions",
  ]) {
    await expect(db.asOwner(statement)).rejects.toMatchObject({ code: "PL002" });
    await expect(db.asService(statement)).rejects.toMatchObject({ code: "42501" });
  }
  for (const change of ["commission_basis_points = 1", "commission_rule = 'other'"])
    await expect(db.asService(`update payment_orders set ${change}`)).rejects.toMatchObject({
      code: "42501",
    });
});

test("an order takes between nothing and all of what is captured", async () => {
  const order = await newOrder(db);
  for (const basis_points of [-1, 10_001])
    await expect(
      db.asOwner("update payment_orders set commission_basis_points = $2 where payment_order_id = $1", [
        order,
        basis_points,
      ]),
    ).rejects.toMatchObject({ constraint: "payment_orders_commission_basis_points_check" });
});
