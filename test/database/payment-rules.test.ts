import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterAll(() => db.drop());

const states = [
  "NOT_STARTED",
  "EXECUTING",
  "PENDING",
  "UNKNOWN",
  "RETRY_SCHEDULED",
  "AUTHORIZED",
  "SUCCESS",
  "FAILED",
  "CANCELED",
] as const;
type State = (typeof states)[number];

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
const insertEvent = (id: string, orders = 1): Promise<unknown[]> =>
  db.asService(
    `insert into payment_events (checkout_id, buyer_info, credit_card_info, unfinished_order_count, request_fingerprint, risk_decision)
   values ($1, '{}', '{}', $2, decode(repeat('00', 32), 'hex'), 'pass')`,
    [id, orders],
  );

const orderColumns =
  "payment_order_id, checkout_id, position, buyer_account, seller_account, amount_minor, currency, status, status_cause, status_actor, created_by";

async function newOrder(
  changes: { status?: State; amount?: string; currency?: string } = {},
): Promise<string> {
  const id = `order-${++count}`;
  await insertEvent(id);
  await db.asService(
    `insert into payment_orders (${orderColumns}) values ($1::text, $1::text, 0, 'b', 's', $2, $3, $4, 'accepted', 'test', 'test')`,
    [id, changes.amount ?? "100", changes.currency ?? "USD", changes.status ?? "NOT_STARTED"],
  );
  return id;
}

/** An order that stands in a state, whatever way would lead there. */
async function orderAt(status: State): Promise<string> {
  const id = `placed-${++count}`;
  await insertEvent(id);
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
      expect(await db.asOwner("select type from events where subject_id = $1", [id])).toEqual([{ type }]);
    },
  );

  test.for(states)("an order made as %s is refused or has its first line of history", async (status) => {
    const made = newOrder({ status });
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
    const id = await newOrder();
    await db.asService(
      "update payment_orders set status = status, updated_at = now() where payment_order_id = $1",
      [id],
    );
    expect(await historyOf(id)).toHaveLength(1);
  });

  test("one forbidden move in a statement undoes its neighbours' allowed ones", async () => {
    const [good, bad] = [await newOrder(), await orderAt("CANCELED")];
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
      await expect(newOrder({ amount })).rejects.toMatchObject({ code: "23514" });
    },
  );
  test.for(["9223372036854775808", "1.5", "nan"])(
    "an order of %s minor units is no bigint",
    async (amount) => {
      await expect(newOrder({ amount })).rejects.toMatchObject({
        code: expect.stringMatching(/^22(003|P02)$/) as string,
      });
    },
  );
  test.for(["usd", "US", "USDT", ""])("an order in the currency %j cannot be stored", async (currency) => {
    await expect(newOrder({ currency })).rejects.toMatchObject({ code: "23514" });
  });
  test.for(["0", "-1"])("an attempt of %s minor units cannot be stored", async (amount) => {
    await expect(newAttempt(await newOrder(), 1, amount)).rejects.toMatchObject({ code: "23514" });
  });
  test("what a buyer spent on a day is never negative", async () => {
    await expect(
      db.asService("insert into risk_buyer_days values ('b', 'USD', now(), -1)"),
    ).rejects.toMatchObject({ code: "23514" });
  });
  test("amount, currency, seller and checkout of an order cannot be changed by the service's role", async () => {
    const id = await newOrder();
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
    await insertEvent("long");
    await expect(
      db.asService(
        `insert into payment_orders (${orderColumns}) values ($1, 'long', 0, 'b', 's', 1, 'USD', 'NOT_STARTED', 'a', 't', 't')`,
        ["é".repeat(128)],
      ),
    ).rejects.toMatchObject({ code: "23514" });
  });
});

function newAttempt(order: string, number: number, amount = "100"): Promise<unknown[]> {
  return db.asService(
    "insert into payment_attempts (attempt_id, checkout_id, payment_order_id, attempt_number, psp, amount_minor, currency) values ($1, $2, $2, $3, 'stripe', $4, 'USD')",
    [`att-${order}-${number}`, order, number, amount],
  );
}

describe("attempts", () => {
  test.for(["executing", "pending", "unknown"])(
    "while one attempt is %s no other can start (design: never twice)",
    async (status) => {
      const order = await newOrder();
      await newAttempt(order, 1);
      await db.asService("update payment_attempts set status = $2 where payment_order_id = $1", [
        order,
        status,
      ]);
      await expect(newAttempt(order, 2)).rejects.toMatchObject({
        code: "23505",
        constraint: "payment_attempts_one_live_per_order",
      });
      for (const closed of ["declined", "not_sent", "canceled"]) {
        await db.asService("update payment_attempts set status = $2 where payment_order_id = $1", [
          order,
          closed,
        ]);
      }
      await newAttempt(order, 2);
    },
  );

  test("after an attempt succeeded no other can start", async () => {
    const order = await newOrder();
    await newAttempt(order, 1);
    await db.asService("update payment_attempts set status = 'succeeded' where payment_order_id = $1", [
      order,
    ]);
    await expect(newAttempt(order, 2)).rejects.toMatchObject({
      code: "23505",
      constraint: "payment_attempts_one_live_per_order",
    });
  });

  test("count up from 1: neither an epoch nor the number of failed captures falls below its start", async () => {
    const order = await newOrder();
    await newAttempt(order, 1);
    await expect(
      db.asService("update payment_attempts set epoch = 0 where payment_order_id = $1", [order]),
    ).rejects.toMatchObject({ constraint: "payment_attempts_epoch_check" });
    await expect(
      db.asService("update payment_orders set failed_capture_count = -1 where payment_order_id = $1", [
        order,
      ]),
    ).rejects.toMatchObject({ constraint: "payment_orders_failed_capture_count_check" });
  });

  test("have a next action and its end together or neither", async () => {
    const order = await newOrder();
    await newAttempt(order, 1);
    for (const change of ["next_action = 'sealed'", "next_action_expires_at = now()"]) {
      await expect(
        db.asService(`update payment_attempts set ${change} where payment_order_id = $1`, [order]),
      ).rejects.toMatchObject({ constraint: "payment_attempts_next_action_expiry_check" });
    }
  });

  test("keep the first end of a next action, however often the PSP repeats it, and forget both with the next outcome", async () => {
    const order = await newOrder({ status: "EXECUTING" });
    await newAttempt(order, 1);
    const writeOutcome = (
      order_status: State,
      attempt_status: string,
      next_action: string | null,
      hours: number,
    ): Promise<unknown[]> =>
      db.asService(
        `select payments_write_outcomes(jsonb_build_array(jsonb_build_object(
         'payment_order_id', $1::text, 'attempt_id', $2::text, 'order_status', $3::text, 'cause', 'test', 'actor', 'test', 'captured_minor', 0,
         'attempt_status', $4::text, 'paid_change', 0, 'is_inquired', false, 'has_stored_failure', false,
         'next_action', $5::text, 'next_action_expires_at', timestamptz '2030-01-01 00:00Z' + $6 * interval '1 hour'))::json)`,
        [order, `att-${order}-1`, order_status, attempt_status, next_action, hours],
      );
    const stored = (): Promise<unknown[]> =>
      db.asOwner(
        `select next_action, extract(epoch from next_action_expires_at - timestamptz '2030-01-01 00:00Z')::int / 3600 as hours
         from payment_attempts where payment_order_id = $1`,
        [order],
      );
    await writeOutcome("PENDING", "pending", "first", 1);
    await writeOutcome("PENDING", "pending", "again", 2);
    expect(await stored()).toEqual([{ next_action: "again", hours: 1 }]);
    await writeOutcome("UNKNOWN", "unknown", null, 3);
    expect(await stored()).toEqual([{ next_action: null, hours: null }]);
  });

  test("a key at the PSP belongs to one attempt for ever and cannot be changed", async () => {
    const order = await newOrder();
    await newAttempt(order, 1);
    await expect(newAttempt(order, 1)).rejects.toMatchObject({ code: "23505" });
    const [attempt] = await db.asService(
      "select attempt_id, psp_key from payment_attempts where payment_order_id = $1",
      [order],
    );
    expect(attempt?.["psp_key"]).toBe(attempt?.["attempt_id"]);
    await expect(db.asService("update payment_attempts set psp_key = 'another'")).rejects.toMatchObject({
      code: "428C9",
    });
  });
});

describe("what belongs together stays together", () => {
  test("an event with orders cannot be deleted, by nobody (R117, R223)", async () => {
    const id = await newOrder();
    await expect(
      db.asService("delete from payment_events where checkout_id = $1", [id]),
    ).rejects.toMatchObject({ code: "42501" });
    await expect(db.asOwner("delete from payment_events where checkout_id = $1", [id])).rejects.toMatchObject(
      { code: expect.stringMatching(/^(23001|23503)$/) as string },
    );
  });

  test("an order with attempts cannot be deleted", async () => {
    const id = await newOrder();
    await newAttempt(id, 1);
    await expect(
      db.asOwner("delete from payment_orders where payment_order_id = $1", [id]),
    ).rejects.toMatchObject({ code: expect.stringMatching(/^(23001|23503)$/) as string });
  });

  test("an order needs its event, and ids are unique for ever (R47, R53)", async () => {
    const id = await newOrder();
    await expect(
      db.asService(
        `insert into payment_orders (${orderColumns}) values ('no-event', 'nowhere', 0, 'b', 's', 1, 'USD', 'NOT_STARTED', 'a', 't', 't')`,
      ),
    ).rejects.toMatchObject({ code: "23503" });
    await expect(insertEvent(id)).rejects.toMatchObject({ code: "23505" });
    await insertEvent("another-event");
    await expect(
      db.asService(
        `insert into payment_orders (${orderColumns}) values ($1, 'another-event', 0, 'b', 's', 1, 'USD', 'NOT_STARTED', 'a', 't', 't')`,
        [id],
      ),
    ).rejects.toMatchObject({ code: "23505" });
  });

  test("a checkout is done exactly when no order is unfinished, and the count never falls below zero", async () => {
    const id = await newOrder();
    for (const change of [
      "is_payment_done = true",
      "unfinished_order_count = 0",
      "unfinished_order_count = -1, is_payment_done = true",
    ]) {
      await expect(
        db.asService(`update payment_events set ${change} where checkout_id = '${id}'`),
      ).rejects.toMatchObject({ code: "23514" });
    }
  });

  test("a webhook is stored once per PSP event, and its bytes cannot be changed", async () => {
    const insert = (id: string): Promise<unknown[]> =>
      db.asService(
        "insert into webhook_inbox (message_id, psp, psp_event_id, type, body) values ($1, 'stripe', 'evt_1', 'x', '{}')",
        [id],
      );
    await insert("m1");
    await expect(insert("m2")).rejects.toMatchObject({ code: "23505" });
    await expect(db.asService("update webhook_inbox set body = '[]'")).rejects.toMatchObject({
      code: "42501",
    });
    await expect(db.asService("delete from webhook_inbox")).rejects.toMatchObject({ code: "42501" });
  });

  test("a checkout is paid in exactly one way", async () => {
    const insert = (ways: string): Promise<unknown[]> =>
      db.asService(
        `insert into payment_events (checkout_id, buyer_info, ${ways}, unfinished_order_count, request_fingerprint, risk_decision)
       values ('ways-${++count}', '{}', ${ways
         .split(",")
         .map(() => "'{}'")
         .join()}, 1, decode(repeat('00', 32), 'hex'), 'pass')`,
      );
    const broken = { constraint: "payment_events_way_to_pay_check" };
    for (const ways of [
      "seller_info",
      "credit_card_info, hosted_page",
      "hosted_page, external",
      "credit_card_info, external",
    ]) {
      await expect(insert(ways), ways).rejects.toMatchObject(broken);
    }
    for (const way of ["credit_card_info", "hosted_page", "external"]) expect(await insert(way)).toEqual([]);
  });

  test("an Idempotency-Key has one answer for each API key", async () => {
    const insert = (key_id: string): Promise<unknown[]> =>
      db.asService(
        `insert into idempotency_keys (key_id, idempotency_key, fingerprint, response_status, response_body, expires_at)
       values ($1, 'once', decode(repeat('00', 32), 'hex'), 200, '{}', now())`,
        [key_id],
      );
    await insert("key_1");
    await insert("key_2");
    await expect(insert("key_1")).rejects.toMatchObject({ code: "23505" });
  });

  test("a block names its author", async () => {
    const insert = (author: string | null): Promise<unknown[]> =>
      db.asService(
        "insert into risk_block_list (kind, value, reason, created_by) values ('buyer_account', 'b', 'fraud', $1)",
        [author],
      );
    await expect(insert(null)).rejects.toMatchObject({ code: "23502" });
    await expect(insert("")).rejects.toMatchObject({ code: "23514" });
  });
});
