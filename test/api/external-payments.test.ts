import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { verifyBooks } from "../../src/cli/verify.ts";
import { deadLetters, unresolvedOrders, type Letter } from "../support/answers.ts";
import { startTestStack, type Reply, type TestStack } from "../support/stack.ts";
import { acceptCheckout, card, expectProblem, orderIn, path, sendCheckout, until } from "./requests.ts";
import { externalAccounts, newSecret, sendStatus, statusBody, statusHeaders } from "./statuses.ts";

const secret = newSecret();
const old_secret = newSecret();
const bank_secret = newSecret();

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack({
    environment: {
      ...externalAccounts({ cash: `${secret},${old_secret}`, bank: bank_secret }),
      PSP_TIMEOUT_SECONDS: "20",
      JOB_LEASE_SECONDS: "90",
      OVERDUE_SECONDS: "1",
      MONITOR_SECONDS: "1",
      RISK_REVIEW_FROM: "USD:800.00",
    },
  });
});
afterAll(() => stack.stopAll());

const inCash = { credit_card_info: undefined, external: { psp: "cash" } };

/** An order that waits for its collector. */
async function awaited(
  changes: Record<string, unknown> = inCash,
): Promise<{ payment_order_id: string; attempt_id: string }> {
  const {
    order_ids: [payment_order_id],
  } = await acceptCheckout(stack, changes);
  const { attempts } = await orderIn(stack, payment_order_id, "PENDING");
  return { payment_order_id, attempt_id: attempts[0]?.attempt_id ?? "" };
}

/** Sends a signed status; gives the id under which it is in the inbox. */
async function report(fields: Record<string, unknown>, by = secret): Promise<{ id: string; reply: Reply }> {
  const id = `msg_${randomBytes(8).toString("hex")}`;
  const body = statusBody(fields);
  return { id, reply: await sendStatus(stack, body, statusHeaders(body, by, { id })) };
}

type Message = { message_id: string; psp: string; state: string; note: string | null };
const messageOf = async (id: string): Promise<Message | undefined> =>
  (
    (await stack.db.asOwner(
      "select message_id, psp, state, note from webhook_inbox where psp_event_id = $1",
      [id],
    )) as Message[]
  )[0];
async function inState(id: string, state: string): Promise<Message> {
  await until(`${id} is ${state}`, async () => (await messageOf(id))?.state === state);
  return (await messageOf(id)) as Message;
}
const letters = (): Promise<Letter[]> => deadLetters(stack);

/** Sends a status that must be rejected, with a note and a dead letter that say why. */
async function expectRejected(fields: Record<string, unknown>, why: RegExp, by = secret): Promise<void> {
  const { id, reply } = await report(fields, by);
  expect(reply).toMatchObject({ status: 200 });
  const { message_id, note } = await inState(id, "rejected");
  expect(note).toMatch(why);
  expect((await letters()).filter(({ subject_id }) => subject_id === message_id)).toMatchObject([
    { reason: expect.stringMatching(why) as string },
  ]);
}

describe("POST /payments with an external account", () => {
  test("opens a pending attempt of the account, without any call", async () => {
    const {
      order_ids: [id],
      checkout_id,
    } = await acceptCheckout(stack, inCash);
    const order = await orderIn(stack, id, "PENDING");
    expect(path(order)).toBe("NOT_STARTED EXECUTING PENDING");
    expect(order.attempts).toMatchObject([{ psp: "cash", status: "pending", psp_reference: null }]);
    expect((await stack.call("GET", `/checkouts/${checkout_id}`)).json).toMatchObject({
      external: { psp: "cash" },
      credit_card_info: null,
      hosted_page: null,
    });
    expect(await stack.effectsSummary()).toMatchObject({ charges: 0 });
  });

  test.each<[string, Record<string, unknown>, string]>([
    ["an account that is not there", { ...inCash, external: { psp: "nobody" } }, "external[psp]"],
    ["an account that takes cards", { ...inCash, external: { psp: "stripe" } }, "external[psp]"],
    ["a card as well", { external: { psp: "cash" } }, "external"],
    ["a page as well", { ...inCash, hosted_page: { return_url: "https://shop.example/" } }, "external"],
    ["a later capture", { ...inCash, capture_method: "manual" }, "capture_method"],
    ["a field more", { ...inCash, external: { psp: "cash", token: "x" } }, "external[token]"],
    ["no way to pay at all", { credit_card_info: undefined }, "credit_card_info"],
  ])("refuses %s", async (_, changes, param) => {
    expectProblem((await sendCheckout(stack, changes)).reply, 400, "invalid_request", param);
  });

  test("answers a repetition with the same bytes, and opens no second attempt", async () => {
    const {
      body,
      order_ids: [id],
      reply,
    } = await acceptCheckout(stack, inCash);
    await orderIn(stack, id, "PENDING");
    expect((await stack.call("POST", "/payments", body)).text).toBe(reply.text);
    expect((await orderIn(stack, id, "PENDING")).attempts).toHaveLength(1);
  });
});

describe("the signed status of an external account (R144, R145, R254)", () => {
  test("success pays the order once, with the ledger and the wallet, however often it comes at once", async () => {
    const { payment_order_id } = await awaited();
    const body = statusBody({ payment_order_id });
    const headers = statusHeaders(body, secret);
    const replies = await Promise.all(Array.from({ length: 20 }, () => sendStatus(stack, body, headers)));
    expect(new Set(replies.map((reply) => `${reply.status} ${reply.text}`))).toEqual(
      new Set(['200 {"status":"ok"}']),
    );
    const order = await orderIn(stack, payment_order_id, "SUCCESS");
    expect(order).toMatchObject({
      psp_token: "receipt-1",
      wallet_updated: true,
      ledger_updated: true,
      attempts: [{ psp_reference: "receipt-1" }],
    });
    expect(order.transitions.at(-1)).toMatchObject({ actor: "webhook:cash" });
    const { data } = (await stack.call("GET", `/ledger?transaction_id=${payment_order_id}`)).json as {
      data: { account: string }[];
    };
    expect(data.map(({ account }) => account).toSorted()).toEqual([
      "psp:cash:clearing",
      "seller:seller_bob:pending",
    ]);
  });

  test("is taken with either secret of the account, at the account's own route too, and by the attempt's id", async () => {
    const first = await awaited();
    await report({ payment_order_id: undefined, attempt_id: first.attempt_id }, old_secret);
    await orderIn(stack, first.payment_order_id, "SUCCESS");
    const second = await awaited();
    const body = statusBody({ ...second });
    const reply = await fetch(`${stack.service_url}/api/v1/webhooks/cash`, {
      method: "POST",
      body,
      headers: statusHeaders(body, secret),
    });
    expect(reply.status).toBe(200);
    await orderIn(stack, second.payment_order_id, "SUCCESS");
  });

  const cut_in_a_character = `${"x".repeat(63)}\u{1f6aa}`;
  test.each([["not_at_home"], [undefined], [null], [""], ["x".repeat(300)], [cut_in_a_character]] as const)(
    "failed with the error %j ends in FAILED, and a retry waits for the collector",
    async (error) => {
      const { payment_order_id } = await awaited();
      await report({ payment_order_id, status: "failed", ...(error === undefined ? {} : { error }) });
      const error_code = (error ?? "") === "" ? "not_collected" : error?.slice(0, 64).toWellFormed();
      const order = await orderIn(stack, payment_order_id, "FAILED");
      expect(order).toMatchObject({ status_cause: "psp_declined", error_code });
      if (error !== "not_at_home") return;
      expectProblem(
        await stack.call("POST", `/payments/${payment_order_id}/retry`, { card_token: "tok_visa_4242" }),
        409,
        "state_conflict",
        "card_token",
      );
      await stack.call("POST", `/payments/${payment_order_id}/retry`);
      expect((await orderIn(stack, payment_order_id, "PENDING")).attempts).toMatchObject([
        { status: "declined" },
        { psp: "cash", status: "pending" },
      ]);
      // A late word about the first attempt does not end the second.
      const { id } = await report({ payment_order_id, status: "failed" });
      await inState(id, "applied");
      await orderIn(stack, payment_order_id, "PENDING");
      await report({ payment_order_id, reference: "receipt-2" });
      await orderIn(stack, payment_order_id, "SUCCESS");
    },
  );

  test("pending leaves it PENDING and names the reference, which every later status must have", async () => {
    const { payment_order_id } = await awaited();
    const { id } = await report({ payment_order_id, status: "pending", reference: "transfer-7" });
    await inState(id, "applied");
    await expectRejected({ payment_order_id, reference: "transfer-8" }, /transfer-7/);
    await orderIn(stack, payment_order_id, "PENDING");
    await report({ payment_order_id, reference: "transfer-7" });
    await orderIn(stack, payment_order_id, "SUCCESS");
    // An old message that arrives last moves nothing back. It may be of money that bounced: somebody looks.
    const late = await report({ payment_order_id, status: "failed", reference: "transfer-7" });
    await inState(late.id, "applied");
    await orderIn(stack, payment_order_id, "SUCCESS");
    const about = (await letters()).filter(({ subject_id }) => subject_id === payment_order_id);
    expect(about).toMatchObject([
      { reason: expect.stringContaining("transfer-7") as string },
      { reason: expect.stringContaining("cash reports a success (transfer-8)") as string },
    ]);
  });

  test("that arrives before its order is applied later", async () => {
    const payment_order_id = `early-${process.pid}`;
    const { id } = await report({ payment_order_id });
    await inState(id, "unmatched");
    await acceptCheckout(stack, inCash, [{ payment_order_id }]);
    await orderIn(stack, payment_order_id, "SUCCESS");
  });
});

describe("a status that does not fit changes nothing, and a person sees it", () => {
  test.each<[string, Record<string, unknown>, RegExp]>([
    ["too little", { amount: "29.98" }, /29\.98 USD.*29\.99 USD/],
    ["too much", { amount: "299.90" }, /299\.90 USD/],
    ["another currency", { currency: "EUR" }, /29\.99 EUR/],
    ["a failure of another amount", { status: "failed", amount: "1.00" }, /1\.00 USD/],
    ["a pending one of another amount", { status: "pending", amount: "1.00" }, /1\.00 USD/],
    ["another account's name", { psp: "bank" }, /signed by cash and speaks for bank/],
    ["a PSP's name", { psp: "stripe" }, /signed by cash and speaks for stripe/],
  ])("%s", async (_, fields, why) => {
    const { payment_order_id } = await awaited();
    await expectRejected({ payment_order_id, ...fields }, why);
    expect(await orderIn(stack, payment_order_id, "PENDING")).toMatchObject({
      psp_token: null,
      ledger_updated: false,
      attempts: [{ status: "pending", psp_reference: null }],
    });
  });

  test("an account speaks for no attempt of another external account", async () => {
    const { payment_order_id, attempt_id } = await awaited({ ...inCash, external: { psp: "bank" } });
    await expectRejected({ payment_order_id }, /of the account bank, for which cash may not speak/);
    await expectRejected(
      { payment_order_id: undefined, attempt_id, status: "failed" },
      /of the account bank, for which cash may not speak/,
    );
    await expectRejected({ payment_order_id, psp: "bank" }, /signed by cash and speaks for bank/);
    await orderIn(stack, payment_order_id, "PENDING");
    await report({ payment_order_id, psp: "bank" }, bank_secret);
    await orderIn(stack, payment_order_id, "SUCCESS");
  });

  test("an attempt's id with another order's, or one that is none of ours, is rejected", async () => {
    const [one, other] = [await awaited(), await awaited()];
    await expectRejected(
      { attempt_id: one.attempt_id, payment_order_id: other.payment_order_id },
      /of the order/,
    );
    await expectRejected({ attempt_id: "7", payment_order_id: undefined }, /no attempt of ours/);
    for (const { payment_order_id } of [one, other]) await orderIn(stack, payment_order_id, "PENDING");
  });

  test.each(["success", "failed", "pending"])(
    "a PSP's attempt under way is not touched by %s: the order stays and is charged once at most",
    async (status) => {
      const {
        order_ids: [payment_order_id],
      } = await acceptCheckout(stack, card("tok_fault_timeout_before_charge"), [{ amount: "29.99" }]);
      const { attempts } = await orderIn(stack, payment_order_id, "EXECUTING");
      await expectRejected(
        { payment_order_id, status },
        /of the account stripe, for which cash may not speak/,
      );
      await expectRejected(
        { payment_order_id: undefined, attempt_id: attempts[0]?.attempt_id, status, psp: "cash" },
        /of the account stripe/,
      );
      await expectRejected(
        { payment_order_id, status, psp: "stripe" },
        /signed by cash and speaks for stripe/,
      );
      const order = await orderIn(stack, payment_order_id, "EXECUTING");
      expect(path(order)).toBe("NOT_STARTED EXECUTING");
      expect(order.attempts).toMatchObject([{ status: "executing" }]);
    },
  );

  test("success after a cancel is a dead letter, and the order stays CANCELED", async () => {
    const { payment_order_id } = await awaited();
    expect((await stack.call("POST", `/payments/${payment_order_id}/cancel`)).status).toBe(202);
    const order = await orderIn(stack, payment_order_id, "CANCELED");
    expect(order.attempts).toMatchObject([{ status: "canceled" }]);
    await report({ payment_order_id });
    await until("a person is told", async () =>
      (await letters()).some(
        (letter) =>
          letter.subject_id === payment_order_id && /reports a success \(receipt-1\)/.test(letter.reason),
      ),
    );
    expect(await orderIn(stack, payment_order_id, "CANCELED")).toMatchObject({ ledger_updated: false });
  });

  test("success of an order that was canceled before its attempt began is a dead letter at once", async () => {
    const {
      order_ids: [id],
      checkout_id,
    } = await acceptCheckout(stack, inCash, [{ amount: "900.00" }]);
    await stack.call("POST", `/checkouts/${checkout_id}/review`, { decision: "reject" });
    expect(await orderIn(stack, id, "CANCELED")).toMatchObject({ attempts: [] });
    await expectRejected(
      { payment_order_id: id, amount: "900.00" },
      /was canceled before it was to be collected/,
    );
  });
});

describe("a genuine status that cannot be read is a 400 that names the field, and leaves no row", () => {
  test.each<[string, string, string]>([
    ["no JSON", "not json", "body"],
    ["nothing", "", "body"],
    ["a list", "[]", "body"],
    ["a text", '"ok"', "body"],
    ["null", "null", "body"],
    ["no account", statusBody({ psp: undefined }), "psp"],
    ["an account that is a number", statusBody({ psp: 1 }), "psp"],
    ["no order and no attempt", statusBody({ payment_order_id: undefined }), "payment_order_id"],
    ["an order of 256 characters", statusBody({ payment_order_id: "x".repeat(256) }), "payment_order_id"],
    ["NUL in the order", statusBody({ payment_order_id: "a\u0000b" }), "payment_order_id"],
    ["half a character in the order", statusBody({ payment_order_id: "\ud800" }), "payment_order_id"],
    ["an attempt of 65 characters", statusBody({ attempt_id: "x".repeat(65) }), "attempt_id"],
    ["no status", statusBody({ status: undefined }), "status"],
    ["an unknown status", statusBody({ status: "paid" }), "status"],
    ["no amount", statusBody({ amount: undefined }), "amount"],
    ["an amount that is a number", statusBody({ amount: 29.99 }), "amount"],
    ["an empty amount", statusBody({ amount: "" }), "amount"],
    ["no currency", statusBody({ currency: undefined }), "currency"],
    ["a currency in small letters", statusBody({ currency: "usd" }), "currency"],
    ["no reference", statusBody({ reference: undefined }), "reference"],
    ["an empty reference", statusBody({ reference: "" }), "reference"],
    ["a reference of 256 characters", statusBody({ reference: "r".repeat(256) }), "reference"],
    ["NUL in the reference", statusBody({ reference: "\u0000" }), "reference"],
    ["an error that is no text", statusBody({ error: { code: 1 } }), "error"],
    ["NUL in the error", statusBody({ status: "failed", error: "\u0000" }), "error"],
  ])("%s", async (_, body, param) => {
    const headers = statusHeaders(body, secret);
    expectProblem(await sendStatus(stack, body, headers), 400, "invalid_request", param);
    expect(await messageOf(headers["webhook-id"] ?? "")).toBeUndefined();
  });

  test.each([["29.999"], ["0.00"], ["-1.00"], ["1e3"], [" 29.99"]])("the amount %s", async (amount) => {
    const body = statusBody({ amount });
    expectProblem(
      await sendStatus(stack, body, statusHeaders(body, secret)),
      400,
      "invalid_amount",
      "amount",
    );
  });

  test("a webhook-id of 3,000 characters", async () => {
    const body = statusBody({});
    expectProblem(
      await sendStatus(stack, body, statusHeaders(body, secret, { id: "x".repeat(3_000) })),
      400,
      "invalid_request",
      "webhook-id",
    );
  });
});

describe("waiting", () => {
  test("nobody is asked: a pending order has no job, and is overdue only after the account's own time", async () => {
    const { payment_order_id } = await awaited();
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    expect(
      await stack.db.asOwner(
        "select 1 from pgboss.job where data ->> 'payment_order_id' = $1 and state in ('created', 'retry', 'active')",
        [payment_order_id],
      ),
    ).toEqual([]);
    expect(
      await stack.db.asOwner("select 1 from overdue_orders where payment_order_id = $1", [payment_order_id]),
    ).toEqual([]);
    expect(await unresolvedOrders(stack)).toContainEqual(
      expect.objectContaining({
        payment_order_id,
        status: "PENDING",
        psp: "cash",
        possible_actions: expect.arrayContaining([
          { action: "wait", path: null, reason: "The collector has not reported it yet." },
        ]) as unknown,
      }),
    );
    await stack.db.asOwner("alter table payment_order_transitions disable trigger all");
    await stack.db.asOwner(
      "update payment_order_transitions set occurred_at = occurred_at - interval '8 days' where payment_order_id = $1",
      [payment_order_id],
    );
    await stack.db.asOwner("alter table payment_order_transitions enable trigger all");
    await until(
      "it is overdue",
      async () =>
        (
          await stack.db.asOwner("select 1 from overdue_orders where payment_order_id = $1", [
            payment_order_id,
          ])
        ).length === 1,
    );
    await orderIn(stack, payment_order_id, "PENDING");
  });
});

test("the books are right, and verify finds an order that a status of another account has paid", async () => {
  const faults = async (): Promise<string[]> =>
    (await verifyBooks(stack.db.database)).flatMap((check) =>
      check.faults.map(({ subject, problem }) => `${subject} ${problem}`),
    );
  expect(await faults()).toEqual([]);
  const {
    order_ids: [id],
  } = await acceptCheckout(stack, card("tok_visa_4242"));
  await orderIn(stack, id, "SUCCESS");
  await stack.db.asOwner("alter table payment_order_transitions disable trigger all");
  await stack.db.asOwner(
    "update payment_order_transitions set actor = 'webhook:cash' where payment_order_id = $1 and to_status = 'SUCCESS'",
    [id],
  );
  expect(await faults()).toEqual([
    expect.stringMatching(new RegExp(`^order ${id} .*SUCCESS.*webhook:cash.*stripe`)),
  ]);
  await stack.db.asOwner(
    "update payment_order_transitions set actor = 'executor' where payment_order_id = $1 and actor = 'webhook:cash'",
    [id],
  );
  await stack.db.asOwner("update payment_attempts set psp_reference = null where payment_order_id = $1", [
    id,
  ]);
  expect(await faults()).toEqual([expect.stringMatching(/^attempt att_.* without a reference/)]);
});
