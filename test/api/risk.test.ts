import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkoutBody, startTestStack, type Reply, type TestStack } from "../support/stack.ts";
import {
  acceptCheckout,
  development_actor,
  expectProblem,
  orderIn,
  path,
  rowCounts,
  sendCheckout,
} from "./requests.ts";

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack({
    environment: {
      RISK_ORDER_MAX: "USD:500.00,JPY:50000",
      RISK_BUYER_DAY_MAX: "USD:1000.00,EUR:100.00",
      RISK_REVIEW_FROM: "USD:400.00",
    },
  });
});
afterAll(() => stack.stopAll());

const buyer = (user_id: string, email = `${user_id}@example.com`): Record<string, unknown> => ({
  buyer_info: { user_id, email },
});
const decisionOf = (reply: Reply): unknown => reply.json["risk_decision"];

async function expectRejected(
  sent: { reply: Reply; checkout_id: string; order_ids: readonly string[] },
  reason: string,
): Promise<void> {
  expect(sent.reply, sent.reply.text).toMatchObject({ status: 202, json: { risk_decision: "reject" } });
  const { json } = await stack.call("GET", `/checkouts/${sent.checkout_id}`);
  expect(json).toMatchObject({ risk_decision: "reject", is_payment_done: false });
  expect(String(json["risk_reasons"])).toContain(reason);
  for (const id of sent.order_ids) {
    const order = await orderIn(stack, id, "CANCELED");
    expect(order).toMatchObject({
      status_cause: "risk_rejected",
      error_code: "risk_rejected",
      error_message: expect.stringContaining(reason) as string,
      attempts: [],
    });
    expect(path(order)).toBe("CANCELED");
    expect(await stack.effects(`payment_order_id=${id}`)).toMatchObject({ count: 0 });
    for (const action of ["retry", "cancel"])
      expectProblem(await stack.call("POST", `/payments/${id}/${action}`), 409, "state_conflict");
  }
}

describe("the limit per order", () => {
  test("an order over it is rejected before any PSP call, with all orders of its checkout, and the decision is kept", async () => {
    await expectRejected(
      await sendCheckout(stack, buyer("big_spender"), [{ amount: "500.01" }, { amount: "1.00" }]),
      "over the limit per order",
    );
    await expectRejected(
      await sendCheckout(stack, buyer("big_spender"), [{ amount: "50001", currency: "JPY" }]),
      "over the limit per order",
    );
  });

  test("an order at the limit passes, and a currency without a limit is not limited", async () => {
    const { order_ids } = await acceptCheckout(stack, buyer("exact"), [
      { amount: "50000", currency: "JPY" },
      { amount: "9999.00", currency: "CHF" },
    ]);
    for (const id of order_ids) await orderIn(stack, id, "SUCCESS");
  });

  test("a rejected checkout that comes again gets the same bytes", async () => {
    const { body, reply } = await sendCheckout(stack, buyer("again"), [{ amount: "900.00" }]);
    expect(await stack.call("POST", "/payments", body)).toMatchObject({ status: 202, text: reply.text });
  });
});

describe("the limit per buyer and day", () => {
  test("what goes over it is rejected, what fits still passes, and another buyer is free", async () => {
    for (const amount of ["300.00", "300.00", "300.00"])
      expect(decisionOf((await acceptCheckout(stack, buyer("daily"), [{ amount }])).reply)).toBe("pass");
    await expectRejected(await sendCheckout(stack, buyer("daily"), [{ amount: "100.01" }]), "a day");
    expect(
      decisionOf(
        (await acceptCheckout(stack, buyer("daily"), [{ amount: "50.00" }, { amount: "50.00" }])).reply,
      ),
    ).toBe("pass");
    await expectRejected(await sendCheckout(stack, buyer("daily"), [{ amount: "0.01" }]), "a day");
    expect(decisionOf((await acceptCheckout(stack, buyer("another"), [{ amount: "0.01" }])).reply)).toBe(
      "pass",
    );
  });

  test("a checkout that is rejected uses up nothing, in none of its currencies", async () => {
    const who = buyer("two_currencies");
    await expectRejected(
      await sendCheckout(stack, who, [{ amount: "150.00", currency: "EUR" }, { amount: "300.00" }]),
      "a day",
    );
    const reply = (
      await acceptCheckout(stack, who, [
        { amount: "300.00" },
        { amount: "300.00" },
        { amount: "300.00" },
        { amount: "100.00" },
      ])
    ).reply;
    expect(decisionOf(reply)).toBe("pass");
  });

  test("20 checkouts at once that race for the limit: exactly as many pass as fit", async () => {
    const sent = await Promise.all(
      Array.from({ length: 20 }, () =>
        sendCheckout(stack, buyer("racer"), [{ amount: "60.00" }, { amount: "40.00" }]),
      ),
    );
    expect(sent.filter(({ reply }) => decisionOf(reply) === "pass")).toHaveLength(10);
    expect(sent.filter(({ reply }) => decisionOf(reply) === "reject")).toHaveLength(10);
    for (const { order_ids, reply } of sent)
      for (const id of order_ids)
        await orderIn(stack, id, decisionOf(reply) === "pass" ? "SUCCESS" : "CANCELED");
    expect(
      await stack.db.asOwner(
        "select sum(amount_minor)::text as sum from payment_orders where buyer_account = 'racer' and status = 'SUCCESS'",
      ),
    ).toEqual([{ sum: "100000" }]);
  });

  test("one checkout far over the limit does not take those along that arrive with it", async () => {
    const sent = await Promise.all([
      sendCheckout(stack, buyer("mixed"), [{ amount: "399.00" }, { amount: "399.00" }, { amount: "399.00" }]),
      ...Array.from({ length: 5 }, () => sendCheckout(stack, buyer("mixed"), [{ amount: "10.00" }])),
    ]);
    expect(sent.map(({ reply }) => decisionOf(reply))).toEqual([
      "reject",
      "pass",
      "pass",
      "pass",
      "pass",
      "pass",
    ]);
  });
});

describe("the block list", () => {
  test.for([
    ["buyer_account", "blocked_buyer", {}, buyer("blocked_buyer")],
    ["buyer_email", "Blocked@Example.com", {}, buyer("someone", "bLOCKED@example.COM")],
    ["seller_account", "blocked_seller", { seller_account: "blocked_seller" }, buyer("someone_else")],
  ] as const)("a %s on it is rejected, and after its removal passes", async ([kind, value, order, who]) => {
    expect(await stack.call("POST", "/risk_blocks", { kind, value, reason: "chargebacks" })).toMatchObject({
      status: 200,
    });
    expect((await stack.call("GET", "/risk_blocks")).json["data"]).toMatchObject([
      { kind, reason: "chargebacks" },
    ]);
    await expectRejected(await sendCheckout(stack, who, [{}, order]), `${kind} is on the block list`);
    expect((await stack.call("POST", "/risk_blocks/remove", { kind, value })).status).toBe(200);
    expect((await stack.call("GET", "/risk_blocks")).json["data"]).toEqual([]);
    expect(decisionOf((await acceptCheckout(stack, who, [{}, order])).reply)).toBe("pass");
    expectProblem(await stack.call("POST", "/risk_blocks/remove", { kind, value }), 404, "not_found");
  });

  test("an unknown kind is 400 and nothing is written", async () => {
    const before = await rowCounts(stack.db);
    expectProblem(
      await stack.call("POST", "/risk_blocks", { kind: "ip_address", value: "x", reason: "y" }),
      400,
      "invalid_request",
      "kind",
    );
    expect(await rowCounts(stack.db)).toEqual(before);
  });
});

describe("review", () => {
  const held = { amount: "400.00" };

  test("an order from the review limit on holds its checkout: PENDING, no PSP call", async () => {
    const { checkout_id, order_ids, reply } = await acceptCheckout(stack, buyer("reviewed_1"), [
      held,
      { amount: "1.00" },
    ]);
    expect(reply.json).toMatchObject({
      risk_decision: "review",
      payment_orders: [{ status: "PENDING" }, { status: "PENDING" }],
    });
    await new Promise((resolve) => setTimeout(resolve, 500));
    for (const id of order_ids)
      expect(await orderIn(stack, id, "PENDING")).toMatchObject({
        status_cause: "risk_review",
        attempts: [],
      });
    expect((await stack.call("GET", `/checkouts/${checkout_id}`)).json).toMatchObject({
      risk_reasons: ["order of 400.00 USD is to be reviewed"],
    });
    expect(await stack.effects(`checkout_id=${checkout_id}`)).toMatchObject({ count: 0 });
  });

  test("approved, it is paid, once, even if twenty approve at once", async () => {
    const { checkout_id, order_ids } = await acceptCheckout(stack, buyer("reviewed_2"), [
      held,
      { amount: "1.00" },
    ]);
    const replies = await Promise.all(
      Array.from({ length: 20 }, () =>
        stack.call("POST", `/checkouts/${checkout_id}/review`, { decision: "approve" }),
      ),
    );
    expect(replies.map((reply) => reply.status).toSorted()).toEqual([
      200,
      ...Array.from({ length: 19 }, () => 409),
    ]);
    for (const id of order_ids) {
      const order = await orderIn(stack, id, "SUCCESS");
      expect(path(order)).toBe("PENDING EXECUTING SUCCESS");
      expect(order.transitions[1]).toMatchObject({ cause: "review_approved", actor: development_actor });
      expect(await stack.effects(`payment_order_id=${id}`)).toMatchObject({ count: 1 });
    }
  });

  test("rejected, it is canceled for good", async () => {
    const { checkout_id, order_ids } = await acceptCheckout(stack, buyer("reviewed_3"), [held]);
    expect(
      await stack.call("POST", `/checkouts/${checkout_id}/review`, { decision: "reject" }),
    ).toMatchObject({
      status: 200,
      json: { payment_orders: [{ status: "CANCELED", status_cause: "review_rejected" }] },
    });
    expectProblem(
      await stack.call("POST", `/checkouts/${checkout_id}/review`, { decision: "approve" }),
      409,
      "state_conflict",
    );
    expectProblem(await stack.call("POST", `/payments/${order_ids[0]}/retry`), 409, "state_conflict");
    expect(await stack.effects(`checkout_id=${checkout_id}`)).toMatchObject({ count: 0 });
  });

  test("held, it can be canceled by its owner; then there is nothing to review", async () => {
    const { checkout_id, order_ids } = await acceptCheckout(stack, buyer("reviewed_4"), [held]);
    expect(await stack.call("POST", `/payments/${order_ids[0]}/cancel`)).toMatchObject({
      status: 200,
      json: { status: "CANCELED", status_cause: "canceled" },
    });
    expectProblem(
      await stack.call("POST", `/checkouts/${checkout_id}/review`, { decision: "approve" }),
      409,
      "state_conflict",
    );
  });

  test("an unknown decision is 400, an unknown checkout 404, one that passed 409", async () => {
    const { checkout_id } = await acceptCheckout(stack, buyer("not_reviewed"));
    expectProblem(
      await stack.call("POST", `/checkouts/${checkout_id}/review`, { decision: "maybe" }),
      400,
      "invalid_request",
      "decision",
    );
    expectProblem(
      await stack.call("POST", "/checkouts/none/review", { decision: "approve" }),
      404,
      "not_found",
    );
    expectProblem(
      await stack.call("POST", `/checkouts/${checkout_id}/review`, { decision: "approve" }),
      409,
      "state_conflict",
    );
  });
});

test("risk comes after validation and repetition: neither is counted", async () => {
  const body = checkoutBody(buyer("counted_once"), [{ amount: "390.00" }]);
  expect(decisionOf(await stack.call("POST", "/payments", body))).toBe("pass");
  for (let repeat = 0; repeat < 5; repeat++) await stack.call("POST", "/payments", body);
  await stack.call("POST", "/payments", { ...body, seller_info: { name: "another content" } });
  expect(
    await stack.db.asOwner(
      "select amount_minor::text from risk_buyer_days where buyer_account = 'counted_once'",
    ),
  ).toEqual([{ amount_minor: "39000" }]);
});
