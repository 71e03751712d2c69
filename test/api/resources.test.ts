import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { orderOf, pageOf, type Page } from "../support/answers.ts";
import { startTestStack, type TestStack } from "../support/stack.ts";
import { paidAndDeclined } from "./paid-and-declined.ts";
import { type SentCheckout, development_actor, expectProblem, orderIn } from "./requests.ts";

const timestamp = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/) as string;
const anyText = expect.any(String) as string;
let stack: TestStack;
let paid: SentCheckout;
let declined: SentCheckout;
beforeAll(async () => {
  stack = await startTestStack();
  ({ paid, declined } = await paidAndDeclined(stack));
});
afterAll(() => stack.stopAll());

const list = (path: string): Promise<Page> => pageOf(stack, path);

describe("POST /payments and what can be read of it", () => {
  test("answers 202 with the checkout as it was accepted (R141)", () => {
    expect(paid.reply.headers.get("content-type")).toMatch(/^application\/json/);
    expect(paid.reply.json).toEqual({
      object: "checkout",
      checkout_id: paid.checkout_id,
      payment_event_status: "PROCESSING",
      risk_decision: "pass",
      created_at: timestamp,
      payment_orders: [
        {
          payment_order_id: paid.order_ids[0],
          seller_account: "seller_bob",
          amount: "29.99",
          currency: "USD",
          status: "NOT_STARTED",
        },
        // USD is the default (R140), and amounts come back in the currency's own precision.
        {
          payment_order_id: paid.order_ids[1],
          seller_account: "seller_charlie",
          amount: "15.50",
          currency: "USD",
          status: "NOT_STARTED",
        },
      ],
    });
  });

  test("GET /payments/:id shows every field of R142, the attempts and the history", async () => {
    const { json } = await stack.call("GET", `/payments/${paid.order_ids[0]}`);
    const {
      data: [charge],
    } = await stack.effects(`payment_order_id=${paid.order_ids[0]}`);
    const attemptId = (await orderOf(stack, paid.order_ids[0])).attempts[0]?.attempt_id;
    expect(json).toEqual({
      object: "payment_order",
      payment_order_id: paid.order_ids[0],
      checkout_id: paid.checkout_id,
      buyer_account: "buyer_alice",
      seller_account: "seller_bob",
      amount: "29.99",
      currency: "USD",
      capture_method: "automatic",
      captured_amount: "29.99",
      status: "SUCCESS",
      status_cause: "psp_succeeded",
      psp_token: charge?.payment_intent,
      wallet_updated: true,
      ledger_updated: true,
      retry_count: 0,
      last_retry_at: null,
      next_retry_at: null,
      error_code: null,
      error_message: null,
      next_action: null,
      created_at: timestamp,
      updated_at: timestamp,
      attempts: [
        {
          object: "payment_attempt",
          attempt_id: expect.stringMatching(/^att_/) as string,
          attempt_number: 1,
          psp: "stripe",
          psp_key: anyText,
          psp_call_ms: expect.any(Number) as number,
          psp_reference: charge?.payment_intent,
          status: "succeeded",
          inquiry_count: 0,
          page_token: null,
          page_expires_at: null,
          failure_class: null,
          failure_code: null,
          failure_message: null,
          authorization_expires_at: null,
          resolution: null,
          created_at: timestamp,
          updated_at: timestamp,
        },
      ],
      operations: [],
      references: [
        { type: "charge", reference: expect.stringMatching(/^ch_/) as string, subject_id: attemptId },
        { type: "payment_intent", reference: charge?.payment_intent, subject_id: attemptId },
      ],
      commissions: [],
      transitions: [
        {
          from_status: null,
          to_status: "NOT_STARTED",
          cause: "accepted",
          actor: development_actor,
          attempt_id: null,
          occurred_at: timestamp,
        },
        {
          from_status: "NOT_STARTED",
          to_status: "EXECUTING",
          cause: "execution_started",
          actor: "executor",
          attempt_id: anyText,
          occurred_at: timestamp,
        },
        {
          from_status: "EXECUTING",
          to_status: "SUCCESS",
          cause: "psp_succeeded",
          actor: "executor",
          attempt_id: anyText,
          occurred_at: timestamp,
        },
      ],
    });
  });

  test("GET /checkouts/:id shows the event without the card's token", async () => {
    const { json, text } = await stack.call("GET", `/checkouts/${paid.checkout_id}`);
    expect(json).toEqual({
      object: "checkout",
      checkout_id: paid.checkout_id,
      payment_event_status: "COMPLETE",
      is_payment_done: true,
      buyer_info: { user_id: "buyer_alice", email: "alice@example.com" },
      seller_info: { name: "Bob's", country: "DE" },
      credit_card_info: { last4: "4242" },
      hosted_page: null,
      external: null,
      return_url: null,
      status_url: expect.stringMatching(/^\/pay\/.+\?token=\d{10}\.[\w-]{32}$/) as string,
      risk_decision: "pass",
      risk_reasons: [],
      created_at: timestamp,
      updated_at: timestamp,
      payment_orders: [
        expect.objectContaining({ payment_order_id: paid.order_ids[0] }),
        expect.objectContaining({ payment_order_id: paid.order_ids[1] }),
      ],
    });
    expect(text).not.toContain("tok_");
  });

  test("a failed order says why in our words and shows no wallet or ledger change", async () => {
    const order = await orderIn(stack, declined.order_ids[0], "FAILED");
    expect(order).toMatchObject({
      error_code: "card_declined",
      error_message: anyText,
      wallet_updated: false,
      ledger_updated: false,
      amount: "500",
      currency: "JPY",
    });
    expect((await stack.call("GET", `/checkouts/${declined.checkout_id}`)).json).toMatchObject({
      payment_event_status: "PROCESSING",
      is_payment_done: false,
    });
  });

  test.for([
    "/payments/none",
    "/checkouts/none",
    "/wallets/none",
    "/ledger/00000000-0000-8000-8000-000000000001",
    "/dead_letters/none",
    "/ledger/accounts/none/balance?currency=USD",
    "/ledger/accounts/none/statement?currency=USD",
  ])("GET %s is 404", async (path) => expectProblem(await stack.call("GET", path), 404, "not_found"));

  test.for(["/payments/none/retry", "/payments/none/cancel", "/dead_letters/none/redrive"])(
    "POST %s is 404",
    async (path) => expectProblem(await stack.call("POST", path), 404, "not_found"),
  );
});

describe("the edges", () => {
  test("GET /api/v1 lists the resources (R138), all of which answer", async () => {
    const { json } = await stack.call("GET", "/");
    const resources = json["resources"] as string[];
    expect(resources).toEqual(
      expect.arrayContaining(["/api/v1/payments", "/api/v1/wallets", "/api/v1/ledger"]),
    );
    for (const path of resources.filter((one) => !/checkouts|webhooks/.test(one))) {
      expect((await stack.call("GET", path.replace("/api/v1", ""))).status, path).toBe(200);
    }
  });

  test("every path works with and without a trailing slash (R227)", async () => {
    const entry = String((await list("/ledger")).data[0]?.["entry_id"]);
    for (const path of [
      "",
      "/payments",
      `/payments/${paid.order_ids[0]}`,
      `/checkouts/${paid.checkout_id}`,
      "/wallets",
      "/wallets/seller_bob",
      "/ledger",
      `/ledger/${entry}`,
      "/ledger/accounts",
      "/ledger/trial-balance",
      "/dead_letters",
      "/risk_blocks",
      "/audit_log",
    ]) {
      const [plain, slashed] = [await stack.call("GET", path), await stack.call("GET", `${path}/`)];
      expect(plain, path).toMatchObject({ status: 200 });
      expect(slashed, path).toMatchObject({ status: 200, text: plain.text });
    }
    for (const path of [`/payments/${paid.order_ids[0]}/retry`, `/payments/${paid.order_ids[0]}/cancel`]) {
      for (const slash of ["", "/"])
        expectProblem(await stack.call("POST", path + slash), 409, "state_conflict");
    }
    expect((await stack.call("POST", "/payments/", paid.body)).text).toBe(paid.reply.text);
  });

  test("every answer carries its own Request-Id", async () => {
    const ids = await Promise.all(
      ["/payments", "/nothing", "/wallets"].map(async (path) =>
        (await stack.call("GET", path)).headers.get("request-id"),
      ),
    );
    for (const id of ids) expect(id).toMatch(/^req_/);
    expect(new Set(ids).size).toBe(3);
  });
});
