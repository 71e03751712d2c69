import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { insertEvent, newAttempt, newOrder, orderColumns, type State } from "../support/order-rows.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterAll(() => db.drop());

let count = 0;

describe("attempts", () => {
  test.for(["executing", "pending", "unknown"])(
    "while one attempt is %s no other can start (design: never twice)",
    async (status) => {
      const order = await newOrder(db);
      await newAttempt(db, order, 1);
      await db.asService("update payment_attempts set status = $2 where payment_order_id = $1", [
        order,
        status,
      ]);
      await expect(newAttempt(db, order, 2)).rejects.toMatchObject({
        code: "23505",
        constraint: "payment_attempts_one_live_per_order",
      });
      for (const closed of ["declined", "not_sent", "canceled"]) {
        await db.asService("update payment_attempts set status = $2 where payment_order_id = $1", [
          order,
          closed,
        ]);
      }
      await newAttempt(db, order, 2);
    },
  );

  test("after an attempt succeeded no other can start", async () => {
    const order = await newOrder(db);
    await newAttempt(db, order, 1);
    await db.asService("update payment_attempts set status = 'succeeded' where payment_order_id = $1", [
      order,
    ]);
    await expect(newAttempt(db, order, 2)).rejects.toMatchObject({
      code: "23505",
      constraint: "payment_attempts_one_live_per_order",
    });
  });

  test("count up from 1: neither an epoch nor the number of failed captures falls below its start", async () => {
    const order = await newOrder(db);
    await newAttempt(db, order, 1);
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
    const order = await newOrder(db);
    await newAttempt(db, order, 1);
    for (const change of ["next_action = 'sealed'", "next_action_expires_at = now()"]) {
      await expect(
        db.asService(`update payment_attempts set ${change} where payment_order_id = $1`, [order]),
      ).rejects.toMatchObject({ constraint: "payment_attempts_next_action_expiry_check" });
    }
  });

  test("keep the first end of a next action, however often the PSP repeats it, and forget both with the next outcome", async () => {
    const order = await newOrder(db, { status: "EXECUTING" });
    await newAttempt(db, order, 1);
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
    const order = await newOrder(db);
    await newAttempt(db, order, 1);
    await expect(newAttempt(db, order, 1)).rejects.toMatchObject({ code: "23505" });
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
    const id = await newOrder(db);
    await expect(
      db.asService("delete from payment_events where checkout_id = $1", [id]),
    ).rejects.toMatchObject({ code: "42501" });
    await expect(db.asOwner("delete from payment_events where checkout_id = $1", [id])).rejects.toMatchObject(
      { code: expect.stringMatching(/^(23001|23503)$/) as string },
    );
  });

  test("an order with attempts cannot be deleted", async () => {
    const id = await newOrder(db);
    await newAttempt(db, id, 1);
    await expect(
      db.asOwner("delete from payment_orders where payment_order_id = $1", [id]),
    ).rejects.toMatchObject({ code: expect.stringMatching(/^(23001|23503)$/) as string });
  });

  test("an order needs its event, and ids are unique for ever (R47, R53)", async () => {
    const id = await newOrder(db);
    await expect(
      db.asService(
        `insert into payment_orders (${orderColumns}) values ('no-event', 'nowhere', 0, 'b', 's', 1, 'USD', 'NOT_STARTED', 'a', 't', 't')`,
      ),
    ).rejects.toMatchObject({ code: "23503" });
    await expect(insertEvent(db, id)).rejects.toMatchObject({ code: "23505" });
    await insertEvent(db, "another-event");
    await expect(
      db.asService(
        `insert into payment_orders (${orderColumns}) values ($1, 'another-event', 0, 'b', 's', 1, 'USD', 'NOT_STARTED', 'a', 't', 't')`,
        [id],
      ),
    ).rejects.toMatchObject({ code: "23505" });
  });

  test("a checkout is done exactly when no order is unfinished, and the count never falls below zero", async () => {
    const id = await newOrder(db);
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
