import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ChildProcess } from "../../src/cli/child-process.ts";
import { checkoutBody, freePort, startTestStack, type Reply, type TestStack } from "../support/stack.ts";
import {
  acceptCheckout,
  card,
  development_actor,
  expectProblem,
  orderIn,
  path,
  rowCounts,
  sendCheckout,
} from "./requests.ts";

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack({ environment: { MAX_RETRY_ATTEMPTS: "3" } });
});
afterAll(() => stack.stopAll());

const post = (body: unknown, key?: string, target: Pick<TestStack, "call"> = stack): Promise<Reply> =>
  target.call("POST", "/payments", body, key === undefined ? {} : { "idempotency-key": key });

function expectReplay(reply: Reply, first: Reply): void {
  expect(reply).toMatchObject({ status: first.status, text: first.text });
  expect(reply.headers.get("idempotent-replayed")).toBe("true");
  expect(reply.headers.get("content-type")).toBe(first.headers.get("content-type"));
}

describe("checkout_id is the natural key of a checkout", () => {
  test("the same checkout again gets the first answer, byte for byte, also when it is long done (R235)", async () => {
    const { body, order_ids, reply: first } = await acceptCheckout(stack);
    expect(first.headers.get("idempotent-replayed")).toBeNull();
    expectReplay(await post(body), first);
    await orderIn(stack, order_ids[0], "SUCCESS");
    expectReplay(await post(body), first);
    // Written in another order and without the default, it is still the same checkout.
    const [order] = body["payment_orders"] as Record<string, unknown>[];
    const rewritten = {
      ...Object.fromEntries(Object.entries(body).toReversed()),
      payment_orders: [{ ...order, currency: undefined }],
    };
    expectReplay(await post(rewritten), first);
    expect(await stack.effects(`payment_order_id=${order_ids[0]}`)).toMatchObject({ count: 1 });
  });

  test.for([
    [
      "amount",
      (body: Record<string, unknown>) => ({
        ...body,
        payment_orders: [{ ...(body["payment_orders"] as object[])[0], amount: "30.00" }],
      }),
    ],
    ["card", (body: Record<string, unknown>) => ({ ...body, ...card("tok_mastercard") })],
    [
      "buyer",
      (body: Record<string, unknown>) => ({
        ...body,
        buyer_info: { user_id: "buyer_bob", email: "alice@example.com" },
      }),
    ],
    ["seller_info", (body: Record<string, unknown>) => ({ ...body, seller_info: { name: "more" } })],
    [
      "number of orders",
      (body: Record<string, unknown>) => ({
        ...body,
        payment_orders: [
          ...(body["payment_orders"] as object[]),
          { payment_order_id: "one-more", seller_account: "s", amount: "1.00" },
        ],
      }),
    ],
  ] as const)("a known checkout_id with another %s is 422 and changes nothing (R215)", async ([, change]) => {
    const { body, order_ids } = await acceptCheckout(stack);
    await orderIn(stack, order_ids[0], "SUCCESS");
    const before = await rowCounts(stack.db);
    expectProblem(await post(change(body)), 422, "checkout_id_reused", "checkout_id");
    expect(await rowCounts(stack.db)).toEqual(before);
  });

  test("a payment_order_id of another checkout is 409, names the order, and nothing is stored (R215)", async () => {
    const { order_ids } = await acceptCheckout(stack);
    await orderIn(stack, order_ids[0], "SUCCESS");
    const before = await rowCounts(stack.db);
    const { reply } = await sendCheckout(stack, {}, [{}, { payment_order_id: order_ids[0] }]);
    expectProblem(reply, 409, "payment_order_id_in_use", "payment_orders[1][payment_order_id]");
    expect(await rowCounts(stack.db)).toEqual(before);
  });

  test("a declined checkout sent again five times gets the same bytes and uses up no retry (R213)", async () => {
    const { body, order_ids, reply: first } = await acceptCheckout(stack, card("tok_card_declined"));
    await orderIn(stack, order_ids[0], "FAILED");
    for (let repeat = 0; repeat < 5; repeat++) expectReplay(await post(body), first);
    const order = await orderIn(stack, order_ids[0], "FAILED");
    expect(order).toMatchObject({ retry_count: 0, attempts: [{ status: "declined" }] });
    expect(path(order)).toBe("NOT_STARTED EXECUTING FAILED");
  });
});

describe("many at once", () => {
  async function expectOneEffect(body: Record<string, unknown>, replies: readonly Reply[]): Promise<void> {
    const checkoutId = String(body["checkout_id"]);
    const answers = replies.filter((reply) => reply.status === 202);
    expect(
      replies.every((reply) => reply.status === 202 || reply.status === 409),
      replies.map((reply) => reply.text).join("\n"),
    ).toBe(true);
    expect(answers.length).toBeGreaterThan(0);
    expect(new Set(answers.map((reply) => reply.text)).size).toBe(1);
    expect(answers.filter((reply) => reply.headers.get("idempotent-replayed") === null)).toHaveLength(1);
    await orderIn(stack, `${checkoutId}-order-1`, "SUCCESS");
    expect(await stack.effects(`checkout_id=${checkoutId}`)).toMatchObject({ count: 1 });
    expect(
      await stack.db.asOwner("select count(*)::int as n from payment_events where checkout_id = $1", [
        checkoutId,
      ]),
    ).toEqual([{ n: 1 }]);
    expect(
      await stack.db.asOwner("select count(*)::int as n from payment_attempts where checkout_id = $1", [
        checkoutId,
      ]),
    ).toEqual([{ n: 1 }]);
  }

  test("50 simultaneous POSTs of one checkout: one charge, one event, answers only 202 or 409 (R216)", async () => {
    const body = checkoutBody();
    await expectOneEffect(body, await Promise.all(Array.from({ length: 50 }, () => post(body))));
  });

  test("50 simultaneous POSTs with one Idempotency-Key: the same", async () => {
    const body = checkoutBody();
    await expectOneEffect(
      body,
      await Promise.all(Array.from({ length: 50 }, () => post(body, "fifty-at-once"))),
    );
  });

  test("simultaneous POSTs to two processes of the service: the same, for 40 checkouts in turn (R217)", async () => {
    const second = await startSecondService(stack);
    try {
      for (let round = 0; round < 40; round++) {
        const body = checkoutBody();
        const key = round % 2 === 0 ? undefined : `two-processes-${round}`;
        const replies = await Promise.all(
          [0, 1, 2].flatMap(() => [post(body, key), post(body, key, second)]),
        );
        await expectOneEffect(body, replies);
      }
    } finally {
      await second.stop();
    }
  });

  test("20 simultaneous different checkouts with one order id: one wins, the others get 409", async () => {
    const bodies = Array.from({ length: 20 }, () =>
      checkoutBody({}, [{ payment_order_id: "wanted-by-all" }]),
    );
    const replies = await Promise.all(bodies.map((body) => post(body)));
    expect(replies.map((reply) => reply.status).toSorted()).toEqual([
      202,
      ...Array.from({ length: 19 }, () => 409),
    ]);
    await orderIn(stack, "wanted-by-all", "SUCCESS");
    expect(await stack.effects("payment_order_id=wanted-by-all")).toMatchObject({ count: 1 });
  });

  test("20 simultaneous retries of one failed order: one new attempt", async () => {
    const { order_ids } = await acceptCheckout(stack, card("tok_card_declined"));
    await orderIn(stack, order_ids[0], "FAILED");
    const replies = await Promise.all(
      Array.from({ length: 20 }, () => stack.call("POST", `/payments/${order_ids[0]}/retry`)),
    );
    expect(replies.every((reply) => reply.status === 200 || reply.status === 409)).toBe(true);
    const accepted = replies.filter((reply) => reply.status === 200).length;
    const order = await orderIn(stack, order_ids[0], "FAILED");
    expect(order.attempts).toHaveLength(1 + accepted);
    expect(order.retry_count).toBe(accepted);
  });
});

describe("Idempotency-Key", () => {
  test("bare and quoted name the same key, and the repeated request gets the same bytes", async () => {
    const body = checkoutBody();
    const first = await post(body, "a key of 22 characters");
    expect(first.status).toBe(202);
    expectReplay(await post(body, '"a key of 22 characters"'), first);
  });

  test.for([
    ["empty", ""],
    ["empty in quotes", '""'],
    ["of 256 characters", "k".repeat(256)],
    ["with an umlaut", "sch\u00fcssel"],
    ["with a tab", "a\tb"],
  ] as const)("a key that is %s is 400 and nothing is stored", async ([, key]) => {
    const before = await rowCounts(stack.db);
    expectProblem(await post(checkoutBody(), key), 400, "idempotency_key_invalid", "Idempotency-Key");
    expect(await rowCounts(stack.db)).toEqual(before);
  });

  test("a key of 255 characters is taken", async () => {
    expect((await post(checkoutBody(), "k".repeat(255))).status).toBe(202);
  });

  test("with another body, on another route, or for another order it is 422 (R234)", async () => {
    const { body, order_ids } = await sendCheckout(stack, card("tok_card_declined"));
    const retryOf = (id: string, key: string): Promise<Reply> =>
      stack.call("POST", `/payments/${id}/retry`, undefined, { "idempotency-key": key });
    await orderIn(stack, order_ids[0], "FAILED");
    expect((await post(checkoutBody(), "key-of-a-payment")).status).toBe(202);
    expectProblem(await post(body, "key-of-a-payment"), 422, "idempotency_key_reused", "Idempotency-Key");
    expectProblem(
      await retryOf(order_ids[0], "key-of-a-payment"),
      422,
      "idempotency_key_reused",
      "Idempotency-Key",
    );
    expect(await orderIn(stack, order_ids[0], "FAILED")).toMatchObject({ retry_count: 0 });
    expect((await retryOf(order_ids[0], "key-of-a-retry")).status).toBe(200);
    expectProblem(
      await retryOf("another-order", "key-of-a-retry"),
      422,
      "idempotency_key_reused",
      "Idempotency-Key",
    );
    expectProblem(
      await post(checkoutBody(), "key-of-a-retry"),
      422,
      "idempotency_key_reused",
      "Idempotency-Key",
    );
  });

  test("a retry with a key runs once; the repetition gets the first answer although the order has moved on", async () => {
    const { order_ids } = await acceptCheckout(stack, card("tok_card_declined"));
    const retry = (): Promise<Reply> =>
      stack.call("POST", `/payments/${order_ids[0]}/retry`, undefined, {
        "idempotency-key": `retry-${order_ids[0]}`,
      });
    await orderIn(stack, order_ids[0], "FAILED");
    const first = await retry();
    expect(first).toMatchObject({ status: 200, json: { status: "EXECUTING", retry_count: 1 } });
    await orderIn(stack, order_ids[0], "FAILED");
    for (let repeat = 0; repeat < 3; repeat++) expectReplay(await retry(), first);
    expect((await orderIn(stack, order_ids[0], "FAILED")).attempts).toHaveLength(2);
  });

  test("a cancel with a key gets the first answer again, without one a conflict", async () => {
    const { order_ids } = await acceptCheckout(stack, card("tok_chargeDeclinedProcessingError"));
    await orderIn(stack, order_ids[0], "RETRY_SCHEDULED");
    const cancel = (): Promise<Reply> =>
      stack.call("POST", `/payments/${order_ids[0]}/cancel`, undefined, {
        "idempotency-key": `cancel-${order_ids[0]}`,
      });
    const first = await cancel();
    expect(first).toMatchObject({ status: 200, json: { status: "CANCELED", status_cause: "canceled" } });
    expectReplay(await cancel(), first);
  });

  test("refusals are not stored: the key stays free for the corrected request (R239)", async () => {
    const { body, order_ids } = await acceptCheckout(stack, card("tok_card_declined"));
    await orderIn(stack, order_ids[0], "FAILED");
    expectProblem(await post({ ...checkoutBody(), payment_orders: [] }, "corrected"), 400, "invalid_request");
    expectProblem(await post({ ...body, ...card("tok_visa") }, "corrected"), 422, "checkout_id_reused");
    expectProblem(
      await post(checkoutBody({}, [{ payment_order_id: order_ids[0] }]), "corrected"),
      409,
      "payment_order_id_in_use",
    );
    expectProblem(
      await stack.call("POST", "/payments/none/retry", undefined, { "idempotency-key": "corrected" }),
      404,
      "not_found",
    );
    expect((await post(checkoutBody(), "corrected")).status).toBe(202);
  });

  test("while the first request runs, the second gets 409 with Retry-After (R233)", async () => {
    const { order_ids } = await acceptCheckout(stack, card("tok_card_declined"));
    await orderIn(stack, order_ids[0], "FAILED");
    const client = new pg.Client({ connectionString: stack.db.url });
    await client.connect();
    try {
      // What a running request with this key holds.
      const key = `${development_actor}\nstill-running`.replace(/^key:/, "");
      await client.query("select pg_advisory_lock(hashtextextended($1, 42))", [key]);
      const reply = await stack.call("POST", `/payments/${order_ids[0]}/retry`, undefined, {
        "idempotency-key": "still-running",
      });
      expectProblem(reply, 409, "idempotency_key_in_use");
      expect(Number(reply.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
    } finally {
      await client.end();
    }
    expect(
      (
        await stack.call("POST", `/payments/${order_ids[0]}/retry`, undefined, {
          "idempotency-key": "still-running",
        })
      ).status,
    ).toBe(200);
  });

  test("belongs to the API key that sent it: another API key with the same one pays its own checkout and retries its own order", async () => {
    const { token } = await stack.db.createKey("another shop", ["read", "write"]);
    const asOther = { authorization: `Bearer ${token}`, "idempotency-key": "shared-key" };
    const bodies = [checkoutBody(), checkoutBody()];
    // At once, so that they may share a batch, and once more.
    const [first, second] = await Promise.all([
      post(bodies[0], "shared-key"),
      stack.call("POST", "/payments", bodies[1], asOther),
    ]);
    expect([first, second]).toMatchObject([{ status: 202 }, { status: 202 }]);
    expect(second.json["checkout_id"]).toBe(bodies[1]?.["checkout_id"]);
    expectReplay(await post(bodies[0], "shared-key"), first);
    expectReplay(await stack.call("POST", "/payments", bodies[1], asOther), second);
    expectProblem(
      await stack.call("POST", "/payments", bodies[0], asOther),
      422,
      "idempotency_key_reused",
      "Idempotency-Key",
    );
    const [mine, theirs] = [
      await acceptCheckout(stack, card("tok_card_declined")),
      await acceptCheckout(stack, card("tok_card_declined")),
    ];
    await orderIn(stack, mine.order_ids[0], "FAILED");
    await orderIn(stack, theirs.order_ids[0], "FAILED");
    const retried = await stack.call(
      "POST",
      `/payments/${mine.order_ids[0]}/retry`,
      {},
      { "idempotency-key": "shared-retry" },
    );
    const other = await stack.call(
      "POST",
      `/payments/${theirs.order_ids[0]}/retry`,
      {},
      { ...asOther, "idempotency-key": "shared-retry" },
    );
    expect([retried, other]).toMatchObject([
      { status: 200, json: { payment_order_id: mine.order_ids[0] } },
      { status: 200, json: { payment_order_id: theirs.order_ids[0] } },
    ]);
  });

  test("a key ends after its lifetime, a checkout_id never (R236)", async () => {
    const { body, reply: first } = await sendCheckout(stack);
    expect((await post(body, "old-key")).status).toBe(202);
    const [row] = await stack.db.asOwner(
      "select extract(epoch from expires_at - created_at)::float8 as seconds from idempotency_keys where idempotency_key = 'old-key'",
    );
    expect(row).toEqual({ seconds: 86_400 });
    await stack.db.asOwner(
      "update idempotency_keys set expires_at = now() - interval '1 second' where idempotency_key = 'old-key'",
    );
    expect((await post(checkoutBody(), "old-key")).status).toBe(202);
    expectReplay(await post(body), first);
  });
});

/** One more process of the service on the same database, as behind a load balancer. */
async function startSecondService(
  of: TestStack,
): Promise<Pick<TestStack, "call"> & { stop(): Promise<void> }> {
  const service = new ChildProcess({
    name: "second service",
    script: join(import.meta.dirname, "../../src/main.ts"),
    arguments: ["run"],
    ready_event: "service_ready",
    environment: {
      DATABASE_URL: of.database_url,
      PORT: String(await freePort()),
      OPERATIONS_PORT: "0",
      PSP_STRIPE_SECRET_KEY: "sk_test_simulator",
      PSP_STRIPE_API_BASE: of.simulator_url,
      LOG_LEVEL: "fatal",
      RATE_LIMIT_PER_SECOND: "100000",
    },
  });
  const url = await service.start();
  return {
    stop: () => service.stop(),
    async call(method, route, body, headers = {}) {
      const response = await fetch(`${url}/api/v1${route}`, {
        method,
        headers: { authorization: "Bearer sk_dev", "content-type": "application/json", ...headers },
        body: JSON.stringify(body),
      });
      const text = await response.text();
      return {
        status: response.status,
        headers: response.headers,
        text,
        json: JSON.parse(text) as Record<string, unknown>,
      };
    },
  };
}
