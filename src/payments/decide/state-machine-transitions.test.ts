import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { circumstances, decideOn, outcomes } from "../../../test/support/charge-decisions.ts";
import { createTestDatabase, type TestDatabase } from "../../../test/support/database.ts";
import type { AttemptStatus, OrderStatus } from "../model/model.ts";

/** The state in which an order waits for each state of its open attempt. */
const waiting: Readonly<Record<string, OrderStatus>> = {
  executing: "EXECUTING",
  pending: "PENDING",
  unknown: "UNKNOWN",
};

describe("against the table in the database", () => {
  let db: TestDatabase;
  let allowed: Set<string>;
  beforeAll(async () => {
    db = await createTestDatabase();
    const rows = await db.asService("select from_status, to_status from payment_order_allowed_transitions");
    allowed = new Set(rows.map((row) => `${String(row["from_status"])} → ${String(row["to_status"])}`));
  });
  afterAll(() => db.drop());

  // A repeated state is no transition, so it needs no row.
  const isAllowed = (from: OrderStatus, to: OrderStatus): boolean =>
    from === to || allowed.has(`${from} → ${to}`);

  test.each(Object.entries(waiting))(
    "every decision about an order whose attempt is %s is a transition that it allows",
    (attemptStatus, from) => {
      const refused = new Set<string>();
      fc.assert(
        fc.property(outcomes, circumstances, (outcome, { attempt_number, inquiry_count, ...rest }) => {
          const attempt = { status: attemptStatus as AttemptStatus, attempt_number, inquiry_count };
          const decision = decideOn(outcome, { order: { status: from }, attempt, ...rest });
          if (decision !== null && !isAllowed(from, decision.order_status))
            refused.add(`${from} → ${decision.order_status} after ${outcome.kind}`);
        }),
        { numRuns: 500 },
      );
      expect([...refused]).toEqual([]);
    },
  );

  test("CANCELED is final there; SUCCESS is left only when its capture failed, and FAILED by a new attempt only", () => {
    const from = (status: OrderStatus): string[] =>
      [...allowed].filter((row) => row.startsWith(`${status} `));
    expect([from("SUCCESS"), from("CANCELED"), from("FAILED")]).toEqual([
      ["SUCCESS → FAILED"],
      [],
      ["FAILED → EXECUTING"],
    ]);
  });

  test("it refuses what the table does not allow, also from the service", async () => {
    await db.asService(`insert into payment_events (checkout_id, buyer_info, credit_card_info, unfinished_order_count, request_fingerprint, risk_decision)
      values ('c', '{}', '{}', 1, decode(repeat('00', 32), 'hex'), 'pass')`);
    await db.asService(`insert into payment_orders (payment_order_id, checkout_id, position, buyer_account, seller_account, amount_minor, currency, status, status_cause, status_actor, created_by)
      values ('o', 'c', 0, 'b', 's', 1, 'USD', 'NOT_STARTED', 'accepted', 'test', 'test')`);
    await expect(
      db.asService(
        "update payment_orders set status = 'SUCCESS', captured_minor = amount_minor, wallet_updated = true, ledger_updated = true",
      ),
    ).rejects.toMatchObject({ code: "PL005" });
    expect(await db.asService("select status from payment_orders")).toEqual([{ status: "NOT_STARTED" }]);
  });
});
