import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { deadLettersAbout } from "../support/answers.ts";
import { startTestStack, type Reply, type TestStack } from "../support/stack.ts";
import {
  acceptCheckout,
  card,
  expectProblem,
  orderIn,
  path,
  postBytes,
  rowCounts,
  until,
} from "./requests.ts";
import { externalAccounts, sendStatus, statusBody, statusHeaders } from "./statuses.ts";
import { nowSeconds, sendStripe as sendStripeTo, stripeEvent, stripeSignature } from "./stripe-events.ts";

const stripe_secret = `whsec_${randomBytes(24).toString("base64")}`;
const old_stripe_secret = `whsec_${randomBytes(24).toString("base64")}`;
const status_secret = `whsec_${randomBytes(24).toString("base64")}`;

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack({
    has_webhooks: true,
    environment: {
      SIMULATOR_WEBHOOK_SECRET: stripe_secret,
      PSP_STRIPE_WEBHOOK_SECRET: `${stripe_secret},${old_stripe_secret}`,
      ...externalAccounts({ cash: status_secret }),
      PSP_TIMEOUT_SECONDS: "3",
      PSP_BREAKER_FAILURES: "1000",
    },
  });
});
afterAll(() => stack.stopAll());

const sendStripe = (body: string, headers: Record<string, string>): Promise<Reply> =>
  sendStripeTo(stack, body, headers);
const sendSigned = (body: string): Promise<Reply> =>
  sendStripe(body, { "stripe-signature": stripeSignature(body, stripe_secret) });

/** An order that the PSP never answered about, and that its webhooks do not reach either. */
async function orphan(): Promise<{ payment_order_id: string; attempt_id: string; amount: number }> {
  await stack.setFaults({ webhooks: { drop_rate: 1 } });
  const { order_ids } = await acceptCheckout(stack, card("tok_fault_timeout_before_charge"), [
    { amount: "29.99" },
  ]);
  const order = await orderIn(stack, order_ids[0], "EXECUTING");
  return { payment_order_id: order_ids[0], attempt_id: order.attempts[0]?.attempt_id ?? "", amount: 2_999 };
}

/** Orders whose outcome is unknown are asked about all the time, and cause jobs and dead letters. */
const rows = (): Promise<Record<string, number>> =>
  rowCounts(stack.db, [
    "pgboss.job_common",
    "public.dead_letters",
    "public.payment_order_transitions",
    "public.events",
  ]);

const inbox = (order: string): Promise<Record<string, unknown>[]> =>
  stack.db.asOwner("select psp, state, note from webhook_inbox where payment_order_id = $1", [order]);

describe("the simulator's own webhooks (R203, R204)", () => {
  test("move an order whose answer was lost, before our call has even timed out", async () => {
    await stack.setFaults({ webhooks: { drop_rate: 0 } });
    const started = performance.now();
    const { order_ids } = await acceptCheckout(stack, card("tok_fault_timeout_after_charge"));
    const order = await orderIn(stack, order_ids[0], "SUCCESS");
    expect(performance.now() - started).toBeLessThan(2_900);
    expect(order.transitions.at(-1)).toMatchObject({
      from_status: "EXECUTING",
      to_status: "SUCCESS",
      actor: "webhook:stripe",
    });
    expect(await inbox(order_ids[0])).toEqual([{ psp: "stripe", state: "applied", note: null }]);
    // The late timeout changes nothing any more.
    await new Promise((resolve) => setTimeout(resolve, 3_200));
    expect(path(await orderIn(stack, order_ids[0], "SUCCESS"))).toBe("NOT_STARTED EXECUTING SUCCESS");
    expect(await stack.effects(`payment_order_id=${order_ids[0]}`)).toMatchObject({ count: 1 });
  });

  test("sent twice, late and out of order, they change nothing that is final", async () => {
    await stack.setFaults({ webhooks: { drop_rate: 0, duplicate_rate: 1, reorder: true } });
    const { order_ids } = await acceptCheckout(
      stack,
      card("tok_fault_once_processing_error"),
      Array.from({ length: 5 }, () => ({})),
    );
    for (const id of order_ids) await orderIn(stack, id, "SUCCESS");
    await until(
      "all webhooks are applied",
      async () =>
        (
          await stack.db.asOwner(
            "select 1 from webhook_inbox where payment_order_id = any ($1) and type = 'payment_intent.succeeded' and state = 'applied'",
            [order_ids],
          )
        ).length === 5,
    );
    for (const id of order_ids) {
      expect(path(await orderIn(stack, id, "SUCCESS"))).toBe(
        "NOT_STARTED EXECUTING RETRY_SCHEDULED EXECUTING SUCCESS",
      );
      expect(await stack.effects(`payment_order_id=${id}`)).toMatchObject({ count: 1 });
    }
    await stack.setFaults({ webhooks: { duplicate_rate: 0, reorder: false } });
  });
});

describe("a webhook that is not genuine gets 403 and leaves no row (R202)", () => {
  const about = { attempt_id: "att_unknown", payment_order_id: "unknown-order", amount: 100 };
  const body = stripeEvent(about);
  const signed = (text: string, ...rest: [string?, number?]): Record<string, string> => ({
    "stripe-signature": stripeSignature(text, rest[0] ?? stripe_secret, rest[1]),
  });

  test.for([
    ["no signature", body, {}],
    ["an empty signature", body, { "stripe-signature": "" }],
    ["a random UUID", body, { "stripe-signature": crypto.randomUUID() }],
    ["another secret", body, signed(body, "whsec_wrong")],
    ["a changed body", body.replace("succeeded", "failed"), signed(body)],
    ["a space more", `${body} `, signed(body)],
    ["301 s in the past", body, signed(body, stripe_secret, nowSeconds() - 310)],
    ["a signature cut off", body, { "stripe-signature": stripeSignature(body, stripe_secret).slice(0, -2) }],
    ["no time", body, { "stripe-signature": stripeSignature(body, stripe_secret).replace(/^t=\d+,/, "") }],
    [
      "a scheme of old",
      body,
      { "stripe-signature": stripeSignature(body, stripe_secret).replace("v1=", "v0=") },
    ],
    ["the signature of a status", body, statusHeaders(body, status_secret)],
    ["an API key alone", body, { authorization: "Bearer sk_dev" }],
  ] as const)("Stripe's form with %s", async ([, text, headers]) => {
    const before = await rows();
    expectProblem(await sendStripe(text, headers), 403, "signature_invalid");
    expect(await rows()).toEqual(before);
  });

  const status = statusBody({ payment_order_id: "unknown-order" });
  const good = (text = status): Record<string, string> => statusHeaders(text, status_secret);
  const at = (offsetSeconds: number): Record<string, string> =>
    statusHeaders(status, status_secret, { time: new Date(Date.now() + offsetSeconds * 1_000) });
  const timed = (change: (time: string) => string): Record<string, string> => ({
    ...good(),
    "webhook-timestamp": change(good()["webhook-timestamp"] ?? ""),
  });
  test.for<[string, string | Uint8Array<ArrayBuffer>, Record<string, string>]>([
    ["no headers", status, {}],
    ["another secret", status, statusHeaders(status, `whsec_${randomBytes(24).toString("base64")}`)],
    ["Stripe's secret", status, statusHeaders(status, stripe_secret)],
    ["a changed body", status.replace("success", "failed"), good()],
    ["another id", status, { ...good(), "webhook-id": "msg_other" }],
    ["another time", status, { ...good(), "webhook-timestamp": String(nowSeconds() + 1) }],
    ["310 s in the past", status, at(-310)],
    // The table is made before the stack starts; the suite needs no half hour.
    ["half an hour in the future", status, at(1_800)],
    ["an empty signature", status, { ...good(), "webhook-signature": "" }],
    ["a sign before the time", status, timed((time) => `+${time}`)],
    ["letters behind the time", status, timed((time) => `${time}s`)],
    ["a fraction of the time", status, timed((time) => `${time}.5`)],
    [
      "an unknown scheme",
      status,
      { ...good(), "webhook-signature": good()["webhook-signature"]?.replace("v1,", "v9,") ?? "" },
    ],
    [
      "a byte-order mark that was not signed",
      new Uint8Array([0xef, 0xbb, 0xbf, ...new TextEncoder().encode(status)]),
      good(),
    ],
    [
      "bytes that only look like what was signed",
      Uint8Array.from(Buffer.from(status.replace("receipt-1", "receipt-\u00ff"), "latin1")),
      good(status.replace("receipt-1", "receipt-\ufffd")),
    ],
    ["only the body's own signature field", statusBody({ signature: status_secret }), {}],
  ])("a status with %s", async ([, text, headers]) => {
    const before = await rows();
    expectProblem(await sendStatus(stack, text, headers), 403, "signature_invalid");
    expect(await rows()).toEqual(before);
  });

  test("a forged webhook does not move a real order either", async () => {
    const order = await orphan();
    expectProblem(
      await sendStripe(stripeEvent(order), { "stripe-signature": "t=1,v1=00" }),
      403,
      "signature_invalid",
    );
    expectProblem(
      await sendStatus(stack, statusBody({ payment_order_id: order.payment_order_id }), {}),
      403,
      "signature_invalid",
    );
    expect(await inbox(order.payment_order_id)).toEqual([]);
    expect(
      (await orderIn(stack, order.payment_order_id, "EXECUTING", "UNKNOWN")).transitions,
    ).not.toContainEqual(expect.objectContaining({ to_status: "SUCCESS" }));
    await sendSigned(stripeEvent(order));
    await orderIn(stack, order.payment_order_id, "SUCCESS");
  });

  test("1 MB of forged bytes is refused at once and does not hold up other requests", async () => {
    const large = "x".repeat(1_000_000);
    const forged = Promise.all(
      Array.from({ length: 5 }, () => sendStripe(large, { "stripe-signature": "t=1,v1=00" })),
    );
    let slowest = 0;
    for (let probe = 0; probe < 20; probe++) {
      const started = performance.now();
      await (await fetch(`${stack.service_url}/livez`)).text();
      slowest = Math.max(slowest, performance.now() - started);
    }
    for (const reply of await forged) expectProblem(reply, 403, "signature_invalid");
    expect(slowest).toBeLessThan(1_000);
  });

  test("a PSP that is not configured is 404", async () => {
    expectProblem(await postBytes(stack, "/api/v1/webhooks/paypal", body, signed(body)), 404, "not_found");
  });
});

describe("a genuine webhook of Stripe's form", () => {
  test("moves the order once, with the ledger and the wallet, however often it comes at once", async () => {
    const order = await orphan();
    const body = stripeEvent(order);
    const replies = await Promise.all(Array.from({ length: 20 }, () => sendSigned(body)));
    expect(new Set(replies.map((reply) => `${reply.status} ${reply.text}`))).toEqual(
      new Set(['200 {"status":"ok"}']),
    );
    await orderIn(stack, order.payment_order_id, "SUCCESS");
    expect(await inbox(order.payment_order_id)).toHaveLength(1);
    expect(
      (await stack.call("GET", `/ledger?transaction_id=${order.payment_order_id}`)).json["data"],
    ).toHaveLength(2);
    // Weeks later the same event again: known.
    expect((await sendSigned(body)).status).toBe(200);
    expect(await inbox(order.payment_order_id)).toHaveLength(1);
  });

  test("is accepted with the older of two secrets while one is being replaced", async () => {
    const order = await orphan();
    const body = stripeEvent(order);
    expect(
      (await sendStripe(body, { "stripe-signature": stripeSignature(body, old_stripe_secret) })).status,
    ).toBe(200);
    await orderIn(stack, order.payment_order_id, "SUCCESS");
  });

  test.for([
    ["another amount", { amount: 1, amount_received: 1 }],
    ["another currency", { currency: "eur" }],
  ] as const)("with %s than the order's never makes it SUCCESS: a person is told", async ([, intent]) => {
    const order = await orphan();
    expect((await sendSigned(stripeEvent(order, { intent }))).status).toBe(200);
    await until(
      "a dead letter waits",
      async () => (await deadLettersAbout(stack, order.payment_order_id)).length > 0,
    );
    expect(await orderIn(stack, order.payment_order_id, "UNKNOWN")).toMatchObject({
      wallet_updated: false,
      ledger_updated: false,
    });
  });

  test("that reports a success for a declined order leaves it FAILED and tells a person", async () => {
    const { order_ids } = await acceptCheckout(stack, card("tok_card_declined"), [{ amount: "29.99" }]);
    const { attempts } = await orderIn(stack, order_ids[0], "FAILED");
    await sendSigned(
      stripeEvent({
        attempt_id: attempts[0]?.attempt_id ?? "",
        payment_order_id: order_ids[0],
        amount: 2_999,
      }),
    );
    await until("a dead letter waits", async () =>
      (await deadLettersAbout(stack, order_ids[0])).some(({ reason }) =>
        reason.includes("reports a success"),
      ),
    );
    expect(await orderIn(stack, order_ids[0], "FAILED")).toMatchObject({ ledger_updated: false });
  });

  test("that speaks of something unknown is stored and kept as unmatched", async () => {
    expect(
      (
        await sendSigned(
          stripeEvent({ attempt_id: "att_of_nobody", payment_order_id: "order-of-nobody", amount: 100 }),
        )
      ).status,
    ).toBe(200);
    await until(
      "it is unmatched",
      async () => (await inbox("order-of-nobody"))[0]?.["state"] === "unmatched",
    );
  });

  test("that says nothing about a payment is stored and ignored", async () => {
    const id = `evt_other_${process.pid}`;
    expect(
      (
        await sendSigned(
          stripeEvent(
            { attempt_id: "att_x", payment_order_id: "order-x", amount: 1 },
            { id, type: "customer.created" },
          ),
        )
      ).status,
    ).toBe(200);
    await until(
      "it is ignored",
      async () =>
        (await stack.db.asOwner("select state from webhook_inbox where psp_event_id = $1", [id]))[0]?.[
          "state"
        ] === "ignored",
    );
  });
});
