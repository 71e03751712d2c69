import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { verifyBooks } from "../../src/cli/verify.ts";
import { orderOf, type OrderDetail } from "../support/answers.ts";
import { startTestStack, type Reply, type TestStack } from "../support/stack.ts";
import { acceptCheckout, card, expectProblem, orderIn, path, sendCheckout, until } from "./requests.ts";

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack({
    environment: {
      COMMISSION_BASIS_POINTS: "250",
      PSP_TIMEOUT_SECONDS: "1",
      PSP_UNKNOWN_QUIET_SECONDS: "1",
      PSP_BREAKER_FAILURES: "1000",
    },
    has_webhooks: true,
  });
});
afterAll(async () => {
  expect((await verifyBooks(stack.db.database)).flatMap((check) => check.faults)).toEqual([]);
  await stack.stopAll();
});

/** An order of 100.00 USD whose card was authorised. */
async function authorisedOrder(seller = "seller_bob", token = "tok_visa_4242"): Promise<string> {
  const {
    order_ids: [id],
  } = await acceptCheckout(stack, { capture_method: "manual", ...card(token) }, [
    { amount: "100.00", seller_account: seller },
  ]);
  await orderIn(stack, id, "AUTHORIZED");
  return id;
}

let captureCount = 0;
const capture = (id: string, body: Record<string, unknown> = {}): Promise<Reply> =>
  stack.call("POST", `/payments/${id}/capture`, { capture_id: `capture-${++captureCount}`, ...body });
const read = (id: string): Promise<OrderDetail> => orderOf(stack, id);
const taken = async (id: string): Promise<number[]> => {
  const { data } = await stack.effects(`payment_order_id=${id}`);
  return data.map(({ amount_minor }) => amount_minor).toSorted((a, b) => a - b);
};
/** The order once none of its operations is under way. */
async function withoutOpenOperations(id: string): Promise<OrderDetail> {
  await until(`no operation of ${id} is under way`, async () =>
    (await read(id)).operations.every(({ status }) => status === "succeeded" || status === "failed"),
  );
  return read(id);
}
const balanceOf = async (account: string): Promise<string> =>
  String(
    (await stack.call("GET", `/ledger/accounts/${encodeURIComponent(account)}/balance?currency=USD`)).json[
      "balance"
    ],
  );

describe("an order with capture_method manual", () => {
  test("is authorised: nothing is taken, the seller has nothing, and the ledger says what is held", async () => {
    const held = BigInt(
      (await balanceOf("authorizations").catch(() => "0")).replace(".", "").replace("undefined", "0"),
    );
    const id = await authorisedOrder("seller_held");
    const order = await read(id);
    expect(order).toMatchObject({
      status: "AUTHORIZED",
      captured_amount: "0.00",
      capture_method: "manual",
      ledger_updated: false,
      attempts: [{ status: "authorized" }],
    });
    expect(path(order)).toBe("NOT_STARTED EXECUTING AUTHORIZED");
    const days = (Date.parse(order.attempts[0]?.authorization_expires_at ?? "") - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(6.9);
    expect(await taken(id)).toEqual([]);
    expect((await stack.call("GET", "/wallets/seller_held")).status).toBe(404);
    expect(BigInt((await balanceOf("authorizations")).replace(".", "")) - held).toBe(10_000n);
    expect(await balanceOf("psp:stripe:authorized")).toBe(await balanceOf("authorizations"));
  });

  test("is captured as a whole by default, paid, and its checkout is complete", async () => {
    const id = await authorisedOrder("seller_whole");
    const reply = await capture(id);
    expect(reply, reply.text).toMatchObject({
      status: 202,
      json: {
        object: "payment_operation",
        kind: "capture",
        amount: "100.00",
        is_final: true,
        status: "queued",
      },
    });
    const order = await orderIn(stack, id, "SUCCESS");
    expect(order).toMatchObject({
      captured_amount: "100.00",
      ledger_updated: true,
      wallet_updated: true,
      status_cause: "captured",
    });
    expect(await taken(id)).toEqual([10_000]);
    expect((await stack.call("GET", "/wallets/seller_whole")).json).toMatchObject({
      balances: [{ pending: "97.50" }],
    });
    expect((await stack.call("GET", `/checkouts/${id.replace("-order-1", "")}`)).json).toMatchObject({
      payment_event_status: "COMPLETE",
    });
  });

  test("has the PSP's ids of its charge, and each of its captures the id of its own balance transaction", async () => {
    const id = await authorisedOrder("seller_ids");
    await capture(id, { amount: "30.00", is_final: false });
    await withoutOpenOperations(id);
    await capture(id, { amount: "20.00" });
    await orderIn(stack, id, "SUCCESS");
    const references = await stack.db.asOwner(
      `select r.type, r.reference, coalesce(m.capture_id::text, 'the charge') as stands_for
         from psp_references r
         left join operations m on m.operation_id = r.subject_id
         join payment_attempts a on a.attempt_id = coalesce(m.attempt_id, r.subject_id) and a.psp = r.psp
        where a.payment_order_id = $1 order by r.type, m.operation_id`,
      [id],
    );
    expect(references).toEqual([
      ...[captureCount - 1, captureCount].map((count) => ({
        type: "balance_transaction",
        reference: expect.stringMatching(/^txn_/) as string,
        stands_for: `capture-${count}`,
      })),
      { type: "charge", reference: expect.stringMatching(/^ch_/) as string, stands_for: "the charge" },
      {
        type: "payment_intent",
        reference: expect.stringMatching(/^pi_/) as string,
        stands_for: "the charge",
      },
    ]);
  });

  test("is captured in parts, each booked by itself; the last one releases the rest", async () => {
    const id = await authorisedOrder("seller_parts");
    await capture(id, { amount: "33.33", is_final: false });
    expect(await withoutOpenOperations(id)).toMatchObject({
      status: "AUTHORIZED",
      captured_amount: "33.33",
      ledger_updated: true,
    });
    expect((await stack.call("GET", "/wallets/seller_parts")).json).toMatchObject({
      balances: [{ pending: "32.50" }],
    });
    await capture(id, { amount: "33.34", is_final: false });
    await withoutOpenOperations(id);
    await capture(id, { amount: "3.33" });
    expect(await withoutOpenOperations(id)).toMatchObject({
      status: "SUCCESS",
      captured_amount: "70.00",
      operations: [{ status: "succeeded" }, { status: "succeeded" }, { status: "succeeded" }],
    });
    expect(await taken(id)).toEqual([333, 3_333, 3_334]);
    // 2.5 % of 70.00, not of each part rounded.
    expect((await stack.call("GET", "/wallets/seller_parts")).json).toMatchObject({
      balances: [{ pending: "68.25" }],
    });
  });

  test("whose card is declined is FAILED, and a retry with another card authorises it", async () => {
    const {
      order_ids: [id],
    } = await acceptCheckout(stack, { capture_method: "manual", ...card("tok_insufficient_funds") });
    await orderIn(stack, id, "FAILED");
    await stack.call("POST", `/payments/${id}/retry`, { card_token: "tok_visa_4242" });
    await orderIn(stack, id, "AUTHORIZED");
    expect(await taken(id)).toEqual([]);
  });

  test("is refused together with a hosted page", async () => {
    const { reply } = await sendCheckout(stack, {
      capture_method: "manual",
      credit_card_info: undefined,
      hosted_page: { return_url: "https://shop.example/" },
    });
    expectProblem(reply, 400, "invalid_request", "capture_method");
  });
});

describe("a capture", () => {
  test("sent again is answered with the same bytes and has one effect; with another content it is refused", async () => {
    const id = await authorisedOrder();
    const body = { capture_id: "shipment-1", amount: "10.00", is_final: false };
    const [first, ...others] = await Promise.all(Array.from({ length: 8 }, () => capture(id, body)));
    await withoutOpenOperations(id);
    const later = await capture(id, body);
    for (const reply of [...others, later]) expect(reply).toMatchObject({ status: 202, text: first?.text });
    expect(
      [first, ...others, later].filter((reply) => reply?.headers.get("idempotent-replayed") === "true"),
    ).toHaveLength(8);
    expectProblem(await capture(id, { ...body, amount: "11.00" }), 422, "capture_id_reused", "capture_id");
    expect(await taken(id)).toEqual([1_000]);
    expect(await read(id)).toMatchObject({ captured_amount: "10.00" });
  });

  test("one of ten at once that come to more than was authorised: exactly as many win as fit", async () => {
    const id = await authorisedOrder();
    const replies = await Promise.all(
      Array.from({ length: 10 }, () => capture(id, { amount: "30.00", is_final: false })),
    );
    expect(replies.map(({ status }) => status).toSorted()).toEqual([
      202,
      202,
      202,
      ...Array<number>(7).fill(422),
    ]);
    for (const reply of replies.filter(({ status }) => status === 422))
      expectProblem(reply, 422, "capture_exceeds_authorization", "amount");
    expect(await withoutOpenOperations(id)).toMatchObject({ status: "AUTHORIZED", captured_amount: "90.00" });
    expect(await taken(id)).toEqual([3_000, 3_000, 3_000]);
    expectProblem(await capture(id, { amount: "10.01" }), 422, "capture_exceeds_authorization", "amount");
  });

  test.each([
    [{ amount: "0.00" }, "invalid_amount", "amount"],
    [{ amount: "1.234" }, "invalid_amount", "amount"],
    [{ amount: "-1" }, "invalid_amount", "amount"],
    [{ amount: 5 }, "invalid_request", "amount"],
    [{ capture_id: "" }, "invalid_request", "capture_id"],
    [{ capture_id: undefined }, "invalid_request", "capture_id"],
    [{ final: true }, "invalid_request", "final"],
    [{ is_final: "yes" }, "invalid_request", "is_final"],
  ] as const)("of %j is refused and changes nothing", async (body, code, param) => {
    const id = await authorisedOrder();
    expectProblem(await capture(id, body), 400, code, param);
    expect(await read(id)).toMatchObject({ status: "AUTHORIZED", operations: [] });
  });

  test("of an order that is not authorised is refused", async () => {
    const {
      order_ids: [id],
    } = await acceptCheckout(stack);
    await orderIn(stack, id, "SUCCESS");
    expectProblem(await capture(id), 409, "state_conflict");
    expectProblem(await capture("nobody"), 404, "not_found", "payment_order_id");
  });

  test("after the last one is refused, also while that is under way", async () => {
    const id = await authorisedOrder();
    await stack.setFaults({ next_modifications: [{ fault: "slow", count: 1 }] });
    await capture(id, { amount: "40.00" });
    expectProblem(await capture(id, { amount: "1.00" }), 409, "state_conflict");
    await orderIn(stack, id, "SUCCESS");
    expectProblem(await capture(id, { amount: "1.00" }), 409, "state_conflict");
    expect(await taken(id)).toEqual([4_000]);
  });

  test.each([
    "timeout_before_charge",
    "timeout_after_charge",
    "disconnect_after_charge",
    "500_before",
    "500_after_charge",
    "429",
    "html",
    "truncated",
  ])("that meets the fault %s is taken once", async (fault) => {
    const id = await authorisedOrder();
    await stack.setFaults({ next_modifications: [{ fault, count: 1 }] });
    await capture(id, { amount: "60.00", is_final: false });
    expect(await withoutOpenOperations(id)).toMatchObject({
      status: "AUTHORIZED",
      captured_amount: "60.00",
      operations: [{ status: "succeeded" }],
    });
    expect(await taken(id)).toEqual([6_000]);
  });
});

describe("a cancel", () => {
  test("of an authorised order gives it up at the PSP: nothing is taken, nothing is held", async () => {
    const id = await authorisedOrder();
    // Said to be JSON, as some clients always say, although there is no body.
    expect(
      await stack.call("POST", `/payments/${id}/cancel`, undefined, { "content-type": "application/json" }),
    ).toMatchObject({ status: 202 });
    expect(await orderIn(stack, id, "CANCELED")).toMatchObject({
      status_cause: "canceled",
      operations: [{ kind: "void", status: "succeeded" }],
    });
    expectProblem(await capture(id), 409, "state_conflict");
    expect(await taken(id)).toEqual([]);
  });

  test("of one that is captured in part keeps the part, and the order is paid", async () => {
    const id = await authorisedOrder();
    await capture(id, { amount: "25.00", is_final: false });
    await withoutOpenOperations(id);
    await stack.call("POST", `/payments/${id}/cancel`);
    expect(await orderIn(stack, id, "SUCCESS")).toMatchObject({
      status_cause: "rest_released",
      captured_amount: "25.00",
    });
    expect(await taken(id)).toEqual([2_500]);
  });

  test("while a capture is under way is refused; twice is once", async () => {
    const id = await authorisedOrder();
    await stack.setFaults({ next_modifications: [{ fault: "slow", count: 1 }] });
    await capture(id, { amount: "25.00", is_final: false });
    expectProblem(await stack.call("POST", `/payments/${id}/cancel`), 409, "state_conflict");
    await withoutOpenOperations(id);
    const replies = await Promise.all([1, 2, 3].map(() => stack.call("POST", `/payments/${id}/cancel`)));
    expect(replies.filter(({ status }) => status === 202).length).toBeGreaterThan(0);
    const order = await orderIn(stack, id, "SUCCESS");
    expect(order.operations.filter(({ kind }) => kind === "void")).toHaveLength(1);
  });

  test("of an order that waits for its buyer gives it up at the PSP", async () => {
    const {
      order_ids: [id],
    } = await acceptCheckout(stack, card("tok_authenticationRequired"));
    await orderIn(stack, id, "PENDING");
    expect(await stack.call("POST", `/payments/${id}/cancel`)).toMatchObject({ status: 202 });
    expect(await orderIn(stack, id, "CANCELED")).toMatchObject({ attempts: [{ status: "canceled" }] });
  });

  test("of a checkout closes its page, so that nobody can pay there", async () => {
    const {
      order_ids: [one, other],
      checkout_id,
      reply,
    } = await acceptCheckout(
      stack,
      { credit_card_info: undefined, hosted_page: { return_url: "https://shop.example/" } },
      [{}, { amount: "5.00" }],
    );
    expectProblem(await stack.call("POST", `/payments/${one}/cancel`), 409, "state_conflict");
    expect(await stack.call("POST", `/checkouts/${checkout_id}/cancel`)).toMatchObject({ status: 202 });
    for (const id of [one, other ?? ""])
      expect(await orderIn(stack, id, "CANCELED")).toMatchObject({ status_cause: "canceled" });
    const late = await fetch(String(reply.json["hosted_page_url"]), {
      method: "POST",
      redirect: "manual",
      body: new URLSearchParams({ number: "4242424242424242", expiry: "12/34", cvc: "123", name: "Alice" }),
    });
    expect(late.status).toBe(410);
    expect(await stack.effects(`checkout_id=${checkout_id}`)).toMatchObject({ count: 0 });
    expectProblem(await stack.call("POST", `/checkouts/${checkout_id}/cancel`), 409, "state_conflict");
    expectProblem(await stack.call("POST", "/checkouts/nobody/cancel"), 404, "not_found", "checkout_id");
  });
});
