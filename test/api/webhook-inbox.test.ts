import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { deadLetters } from "../support/answers.ts";
import { startTestStack, type Reply, type TestStack } from "../support/stack.ts";
import { acceptCheckout, card, expectProblem, orderIn, until } from "./requests.ts";
import { nowSeconds, sendStripe, stripeEvent, stripeSignature } from "./stripe-events.ts";

const secret = `whsec_${randomBytes(24).toString("base64")}`;

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack({
    environment: {
      PSP_STRIPE_WEBHOOK_SECRET: secret,
      PSP_TIMEOUT_SECONDS: "20",
      JOB_LEASE_SECONDS: "90",
      PSP_BREAKER_FAILURES: "1000",
    },
  });
});
afterAll(() => stack.stopAll());

const send = (body: string): Promise<Reply> =>
  sendStripe(stack, body, { "stripe-signature": stripeSignature(body, secret) });

/** Orders whose charge the PSP holds back for longer than the test takes. */
async function waitingOrders(
  count: number,
): Promise<{ attempt_id: string; payment_order_id: string; amount: number }[]> {
  const { order_ids } = await acceptCheckout(
    stack,
    card("tok_fault_timeout_before_charge"),
    Array.from({ length: count }, () => ({ amount: "29.99" })),
  );
  return Promise.all(
    order_ids.map(async (payment_order_id) => {
      const order = await orderIn(stack, payment_order_id, "EXECUTING");
      return { payment_order_id, attempt_id: order.attempts[0]?.attempt_id ?? "", amount: 2_999 };
    }),
  );
}

type Message = { message_id: string; state: string; note: string | null };
const messagesOf = async (psp_event_id: string): Promise<Message[]> =>
  (await stack.db.asOwner(
    "select message_id, state, note from webhook_inbox where psp_event_id = $1 order by message_id",
    [psp_event_id],
  )) as Message[];
async function decided(psp_event_id: string, ...states: string[]): Promise<Message> {
  await until(`${psp_event_id} is ${states.join(" or ")}`, async () =>
    states.includes((await messagesOf(psp_event_id)).at(-1)?.state ?? ""),
  );
  return (await messagesOf(psp_event_id)).at(-1) as Message;
}
/** What the job of a message has come to: how often it was tried, and how many messages it has. */
const jobOf = async (
  message_id: string,
): Promise<{ retry_count: number; state: string; count: number } | undefined> =>
  (
    (await stack.db.asOwner(
      `select retry_count, state, jsonb_array_length(data -> 'message_ids') as count from pgboss.job
    where name = 'webhook_apply' and data -> 'message_ids' ? $1`,
      [message_id],
    )) as { retry_count: number; state: string; count: number }[]
  )[0];

describe("what was signed is taken, and nothing else", () => {
  test("a byte-order mark before a signed body is refused, and the genuine message that follows is no duplicate", async () => {
    const [order] = await waitingOrders(1);
    const body = stripeEvent(order ?? { attempt_id: "", payment_order_id: "", amount: 0 }, {
      id: "evt_marked",
    });
    const marked = new Uint8Array([0xef, 0xbb, 0xbf, ...new TextEncoder().encode(body)]);
    expectProblem(
      await sendStripe(stack, marked, { "stripe-signature": stripeSignature(body, secret) }),
      403,
      "signature_invalid",
    );
    expect(await messagesOf("evt_marked")).toEqual([]);
    expect((await send(body)).status).toBe(200);
    await orderIn(stack, order?.payment_order_id ?? "", "SUCCESS");
    expect(await messagesOf("evt_marked")).toMatchObject([{ state: "applied", note: null }]);
  });

  test("a signature with two times, or with a time that is no number, is refused", async () => {
    const body = stripeEvent({ attempt_id: "att_1", payment_order_id: "order-1", amount: 1 });
    const old = nowSeconds() - 86_400;
    for (const header of [
      `t=${nowSeconds()},${stripeSignature(body, secret, old)}`,
      stripeSignature(body, secret).replace("t=", "t=+"),
      stripeSignature(body, secret, Number.NaN),
    ]) {
      expectProblem(await sendStripe(stack, body, { "stripe-signature": header }), 403, "signature_invalid");
    }
  });

  test.each([
    ["a bare text", '"ok"'],
    ["a number", "1"],
    ["null", "null"],
    ["a list", "[1]"],
    ["no JSON", "{"],
    ["nothing", ""],
    ["an event without id", '{"type":"payout.paid"}'],
    ["an event without type", '{"id":"evt_no_type"}'],
    ["an id of 3,000 characters", `{"id":"${"x".repeat(3_000)}","type":"payout.paid"}`],
    ["NUL in its id", '{"id":"a\\u0000","type":"payout.paid"}'],
  ])("a genuine body that is %s is a 400 that says so", async (_, body) => {
    expectProblem(await send(body), 400, "invalid_request");
  });

  test.each([
    ["evt_v2", { object: "v2.core.event", type: "v1.billing.meter.no_meter_found" }],
    ["evt_no_data", { type: "payment_intent.succeeded" }],
    ["evt_null_data", { type: "payment_intent.succeeded", data: null }],
    ["evt_text_object", { type: "checkout.session.completed", data: { object: "cs_1" } }],
    [
      "evt_number_metadata",
      { type: "payment_intent.succeeded", data: { object: { metadata: { attempt_id: 7 } } } },
    ],
  ])("the genuine but odd event %s is taken and ignored", async (id, event) => {
    expect(await send(JSON.stringify({ id, ...event }))).toMatchObject({ status: 200 });
    expect(await decided(id, "ignored")).toMatchObject({ note: expect.stringMatching(/./) as string });
  });
});

describe("each message is decided alone", () => {
  test("one that cannot be read fails by itself, while the others of its job are applied", async () => {
    const orders = await waitingOrders(40);
    const poison = orders[20];
    const bodies = orders.map((order, index) =>
      stripeEvent(order, {
        id: `evt_beside_${index}`,
        ...(order === poison ? { intent: { currency: 5 } } : {}),
      }),
    );
    for (const reply of await Promise.all(bodies.map(send))) expect(reply.status).toBe(200);
    for (const order of orders) if (order !== poison) await orderIn(stack, order.payment_order_id, "SUCCESS");
    const [message] = await messagesOf("evt_beside_20");
    await until("the reason is noted", async () => (await messagesOf("evt_beside_20"))[0]?.note !== null);
    expect(await messagesOf("evt_beside_20")).toMatchObject([
      { state: "received", note: expect.stringMatching(/toUpperCase/) as string },
    ]);
    expect((await jobOf(message?.message_id ?? ""))?.count).toBeGreaterThan(1);
    await orderIn(stack, poison?.payment_order_id ?? "", "EXECUTING");
  });

  test("after the last try it alone is a dead letter, blocks no genuine repetition, and can be redriven", async () => {
    const [{ message_id } = { message_id: "" }] = await messagesOf("evt_beside_20");
    await until("its last try is due", async () => {
      await stack.db.asOwner(
        "update pgboss.job set retry_count = 19, start_after = now() where name = 'webhook_apply' and state = 'retry' and data -> 'message_ids' ? $1",
        [message_id],
      );
      return (await messagesOf("evt_beside_20"))[0]?.state === "failed";
    });
    const [letter] = await deadLetters(stack, "queue=webhook_apply");
    expect(letter).toMatchObject({
      subject_id: message_id,
      payload: { message_ids: [message_id] },
      reason: expect.stringMatching(/toUpperCase/) as string,
      attempt_count: 21,
    });
    expect((await stack.call("GET", "/dead_letters?queue=webhook_apply")).json["data"]).toHaveLength(1);
    expect(await jobOf(message_id)).toMatchObject({ state: "completed" });

    expect(
      (await stack.call("POST", `/dead_letters/${letter?.dead_letter_id ?? ""}/redrive`, {})).status,
    ).toBe(200);
    await until(
      "it was tried again",
      async () =>
        (
          await stack.db.asOwner(
            "select 1 from pgboss.job where name = 'webhook_apply' and data -> 'message_ids' ? $1",
            [message_id],
          )
        ).length === 2,
    );
    expect((await messagesOf("evt_beside_20"))[0]?.state).toBe("received");
    await stack.db.asOwner(
      "update webhook_inbox set state = 'failed', processed_at = now() where message_id = $1",
      [message_id],
    );

    const [order] = (await stack.db.asOwner(
      "select attempt_id, payment_order_id from webhook_inbox where message_id = $1",
      [message_id],
    )) as { attempt_id: string; payment_order_id: string }[];
    expect(
      (
        await send(
          stripeEvent(
            { ...(order ?? { attempt_id: "", payment_order_id: "" }), amount: 2_999 },
            { id: "evt_beside_20" },
          ),
        )
      ).status,
    ).toBe(200);
    await orderIn(stack, order?.payment_order_id ?? "", "SUCCESS");
    expect((await messagesOf("evt_beside_20")).map(({ state }) => state)).toEqual(["failed", "applied"]);
  });
});

describe("what is not for us to apply", () => {
  const others = { payment_order_id: "order-of-others", amount: 500 };
  test.each([
    ["no metadata", "evt_no_metadata", { metadata: {} }],
    ["metadata of another system", "evt_other_system", { metadata: { attempt_id: "7f1c", order: "17" } }],
  ])("a charge of others on a shared account (%s) is ignored at once", async (_, id, intent) => {
    expect((await send(stripeEvent({ ...others, attempt_id: "att_x" }, { id, intent }))).status).toBe(200);
    const { message_id, note } = await decided(id, "ignored");
    expect(note).toMatch(/ours/);
    await until("its job is over", async () => (await jobOf(message_id))?.state === "completed");
    expect(await jobOf(message_id)).toMatchObject({ retry_count: 0 });
  });

  test("an event with an id of ours that is not known yet waits", async () => {
    expect(
      (await send(stripeEvent({ ...others, attempt_id: "att_early" }, { id: "evt_early" }))).status,
    ).toBe(200);
    const { message_id } = await decided("evt_early", "unmatched");
    await until("its job comes back", async () => (await jobOf(message_id))?.state === "retry");
  });

  test.each(["charge.refunded", "charge.dispute.created", "payout.paid"])(
    "%s is kept as unsupported, as it came",
    async (type) => {
      const id = `evt_${type}`;
      const body = stripeEvent({ ...others, attempt_id: "att_x" }, { id, type });
      expect((await send(body)).status).toBe(200);
      const { message_id } = await decided(id, "unsupported");
      expect(
        await stack.db.asOwner("select body from webhook_inbox where message_id = $1", [message_id]),
      ).toEqual([{ body }]);
      await until("its job is over", async () => (await jobOf(message_id))?.state === "completed");
    },
  );
});
