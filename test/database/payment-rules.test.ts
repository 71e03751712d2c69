import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import {
  insertEvent,
  newAttempt,
  newOrder,
  orderColumns,
  states,
  type State,
} from "../support/order-rows.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterAll(() => db.drop());

/** What the requirements allow (R58, R241, R244); everything else must be impossible. */
const allowed: Readonly<Record<State, readonly State[]>> = {
  NOT_STARTED: ["EXECUTING", "CANCELED"],
  EXECUTING: ["AUTHORIZED", "SUCCESS", "FAILED", "PENDING", "UNKNOWN", "RETRY_SCHEDULED"],
  PENDING: ["EXECUTING", "AUTHORIZED", "SUCCESS", "FAILED", "UNKNOWN", "RETRY_SCHEDULED", "CANCELED"],
  UNKNOWN: ["AUTHORIZED", "SUCCESS", "FAILED", "PENDING", "RETRY_SCHEDULED", "CANCELED"],
  RETRY_SCHEDULED: ["EXECUTING", "FAILED", "CANCELED"],
  AUTHORIZED: ["SUCCESS", "CANCELED"],
  // The money turned out not to come.
  SUCCESS: ["FAILED"],
  FAILED: ["EXECUTING"],
  CANCELED: [],
};
let count = 0;

/** An order that stands in a state, whatever way would lead there. */
async function orderAt(status: State): Promise<string> {
  const id = `placed-${++count}`;
  await insertEvent(db, id);
  const booked = status === "SUCCESS";
  await db.asOwner(
    `begin; set local session_replication_role = replica;
     insert into payment_orders (${orderColumns}, captured_minor, wallet_updated, ledger_updated)
     values ('${id}', '${id}', 0, 'b', 's', 100, 'USD', '${status}', 'test', 'test', 'test', ${booked ? 100 : 0}, ${booked}, ${booked}); commit`,
  );
  return id;
}

const move = (id: string, to: State, as: "asService" | "asOwner" = "asService"): Promise<unknown[]> =>
  db[as](
    `update payment_orders set status = $2, status_cause = 'test', status_actor = 'mover', captured_minor = case when $3 then amount_minor else 0 end,
          wallet_updated = $3, ledger_updated = $3 where payment_order_id = $1`,
    [id, to, to === "SUCCESS"],
  );

const historyOf = (id: string): Promise<unknown[]> =>
  db.asOwner(
    "select from_status, to_status, cause, actor from payment_order_transitions where payment_order_id = $1 order by transition_number",
    [id],
  );

describe("the state machine", () => {
  test.for(
    states.flatMap((from) =>
      states.filter((to) => to !== from && !allowed[from].includes(to)).map((to) => [from, to] as const),
    ),
  )("an order cannot go from %s to %s, not even moved by the owner", async ([from, to]) => {
    const id = await orderAt(from);
    for (const as of ["asService", "asOwner"] as const)
      await expect(move(id, to, as)).rejects.toMatchObject({ code: "PL005" });
    expect(await db.asOwner("select status from payment_orders where payment_order_id = $1", [id])).toEqual([
      { status: from },
    ]);
    expect(await historyOf(id)).toEqual([]);
  });

  test.for(states.flatMap((from) => allowed[from].map((to) => [from, to] as const)))(
    "an order can go from %s to %s, and the history and an event say so",
    async ([from, to]) => {
      const id = await orderAt(from);
      await move(id, to);
      expect(await historyOf(id)).toEqual([
        { from_status: from, to_status: to, cause: "test", actor: "mover" },
      ]);
      const type = `payment_order.${to === "SUCCESS" ? "succeeded" : to.toLowerCase()}`;
      expect(await db.asOwner("select type from event_log where subject_id = $1", [id])).toEqual([{ type }]);
    },
  );

  test.for(states)("an order made as %s is refused or has its first line of history", async (status) => {
    const made = newOrder(db, { status });
    if (status === "EXECUTING") {
      // Accepted and handed to the executor in one commit.
      expect(await historyOf(await made)).toEqual([
        { from_status: null, to_status: "NOT_STARTED", cause: "accepted", actor: "test" },
        { from_status: "NOT_STARTED", to_status: "EXECUTING", cause: "accepted", actor: "test" },
      ]);
      return;
    }
    if (!["NOT_STARTED", "PENDING", "CANCELED"].includes(status)) {
      await expect(made).rejects.toMatchObject({ code: expect.stringMatching(/^(PL005|23514)$/) as string });
      return;
    }
    expect(await historyOf(await made)).toEqual([
      { from_status: null, to_status: status, cause: "accepted", actor: "test" },
    ]);
  });

  test("staying in a state is no transition", async () => {
    const id = await newOrder(db);
    await db.asService(
      "update payment_orders set status = status, updated_at = now() where payment_order_id = $1",
      [id],
    );
    expect(await historyOf(id)).toHaveLength(1);
  });

  test("one forbidden move in a statement undoes its neighbours' allowed ones", async () => {
    const [good, bad] = [await newOrder(db), await orderAt("CANCELED")];
    await expect(
      db.asService(
        "update payment_orders set status = 'EXECUTING', status_cause = 'x', status_actor = 'x' where payment_order_id = any ($1)",
        [[good, bad]],
      ),
    ).rejects.toMatchObject({ code: "PL005" });
    expect(await historyOf(good)).toHaveLength(1);
  });

  test("history is written only by a change of state: the service's role cannot insert a line", async () => {
    await expect(
      db.asService(
        "insert into payment_order_transitions (payment_order_id, to_status, cause, actor) values ('x', 'SUCCESS', 'x', 'x')",
      ),
    ).rejects.toMatchObject({ code: "42501" });
  });

  test("what is captured and under capture is never more than the order, and only an authorised order has a part of it captured", async () => {
    for (const [status, method, captured, capturing] of [
      ["AUTHORIZED", "manual", 60, 41],
      ["AUTHORIZED", "manual", 101, 0],
      ["AUTHORIZED", "manual", 0, 101],
      ["AUTHORIZED", "manual", -1, 0],
      ["SUCCESS", "automatic", 60, 0],
      ["EXECUTING", "manual", 60, 0],
      ["CANCELED", "manual", 60, 0],
      ["SUCCESS", "manual", 0, 0],
    ] as const) {
      const id = await orderAt("AUTHORIZED");
      await expect(
        db.asOwner(
          `update payment_orders set status = $2, capture_method = $3, captured_minor = $4::int, capturing_minor = $5, wallet_updated = $4::int > 0, ledger_updated = $4::int > 0
          where payment_order_id = $1`,
          [id, status, method, captured, capturing],
        ),
      ).rejects.toMatchObject({ code: expect.stringMatching(/^(23514|PL005)$/) as string });
    }
  });

  test("SUCCESS and the two flags of the books are one: none without the others", async () => {
    for (const [status, wallet, ledger] of [
      ["SUCCESS", false, false],
      ["SUCCESS", true, false],
      ["SUCCESS", false, true],
      ["FAILED", true, true],
      ["EXECUTING", true, true],
    ] as const) {
      const id = await orderAt("EXECUTING");
      await expect(
        db.asOwner(
          "update payment_orders set status = $2, wallet_updated = $3, ledger_updated = $4 where payment_order_id = $1",
          [id, status, wallet, ledger],
        ),
      ).rejects.toMatchObject({ code: "23514" });
    }
  });
});

describe("amounts and currencies", () => {
  test.for(["0", "-1", "-9223372036854775808"])(
    "an order of %s minor units cannot be stored",
    async (amount) => {
      await expect(newOrder(db, { amount })).rejects.toMatchObject({ code: "23514" });
    },
  );
  test.for(["9223372036854775808", "1.5", "nan"])(
    "an order of %s minor units is no bigint",
    async (amount) => {
      await expect(newOrder(db, { amount })).rejects.toMatchObject({
        code: expect.stringMatching(/^22(003|P02)$/) as string,
      });
    },
  );
  test.for(["usd", "US", "USDT", ""])("an order in the currency %j cannot be stored", async (currency) => {
    await expect(newOrder(db, { currency })).rejects.toMatchObject({ code: "23514" });
  });
  test.for(["0", "-1"])("an attempt of %s minor units cannot be stored", async (amount) => {
    await expect(newAttempt(db, await newOrder(db), 1, amount)).rejects.toMatchObject({ code: "23514" });
  });
  test("what a buyer spent on a day is never negative", async () => {
    await expect(
      db.asService("insert into risk_buyer_days values ('b', 'USD', now(), -1)"),
    ).rejects.toMatchObject({ code: "23514" });
  });
  test("amount, currency, seller and checkout of an order cannot be changed by the service's role", async () => {
    const id = await newOrder(db);
    for (const change of [
      "amount_minor = 1",
      "currency = 'EUR'",
      "seller_account = 'x'",
      "checkout_id = 'x'",
      "payment_order_id = 'x'",
      "created_at = now()",
    ]) {
      await expect(
        db.asService(`update payment_orders set ${change} where payment_order_id = '${id}'`),
      ).rejects.toMatchObject({ code: "42501" });
    }
  });
  test("an order has at most 255 bytes of id", async () => {
    await insertEvent(db, "long");
    await expect(
      db.asService(
        `insert into payment_orders (${orderColumns}) values ($1, 'long', 0, 'b', 's', 1, 'USD', 'NOT_STARTED', 'a', 't', 't')`,
        ["é".repeat(128)],
      ),
    ).rejects.toMatchObject({ code: "23514" });
  });
});
