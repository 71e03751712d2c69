import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pageOf, type Page } from "../support/answers.ts";
import { startTestStack, type TestStack } from "../support/stack.ts";
import {
  type SentCheckout,
  acceptCheckout,
  card,
  development_actor,
  expectProblem,
  orderIn,
} from "./requests.ts";

const timestamp = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/) as string;
const anyText = expect.any(String) as string;

let stack: TestStack;
let paid: SentCheckout;
let declined: SentCheckout;
beforeAll(async () => {
  stack = await startTestStack();
  paid = await acceptCheckout(stack, { seller_info: { name: "Bob's", country: "DE" } }, [
    { amount: "29.99", seller_account: "seller_bob" },
    { amount: "15.5", seller_account: "seller_charlie", currency: undefined },
  ]);
  declined = await acceptCheckout(stack, card("tok_card_declined"), [{ amount: "500", currency: "JPY" }]);
  await orderIn(stack, paid.order_ids[0], "SUCCESS");
  await orderIn(stack, paid.order_ids[1] ?? "", "SUCCESS");
  await orderIn(stack, declined.order_ids[0], "FAILED");
});
afterAll(() => stack.stopAll());

const list = (path: string): Promise<Page> => pageOf(stack, path);

/** Every page of a list, and the rows in order. */
async function walk(path: string): Promise<Record<string, unknown>[]> {
  const rows: Record<string, unknown>[] = [];
  for (let cursor: string | null = ""; cursor !== null;) {
    const page: Page = await list(
      `${path}${path.includes("?") ? "&" : "?"}limit=2${cursor === "" ? "" : `&cursor=${cursor}`}`,
    );
    expect(Object.keys(page).sort()).toEqual(["data", "has_more", "next_cursor", "object"]);
    expect(page.object).toBe("list");
    expect(page.has_more).toBe(page.next_cursor !== null);
    rows.push(...page.data);
    cursor = page.next_cursor;
  }
  return rows;
}

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

describe("wallets and ledger (R266, R267)", () => {
  test("a wallet shows each currency's parts and their total", async () => {
    const { json } = await stack.call("GET", "/wallets/seller_charlie");
    const balance = {
      currency: "USD",
      pending: "15.50",
      available: "0.00",
      reserved: "0.00",
      in_payout: "0.00",
      debt: "0.00",
      total: "15.50",
    };
    expect(json).toEqual({
      object: "wallet",
      account_id: "seller_charlie",
      balances: [balance],
      created_at: timestamp,
      updated_at: timestamp,
    });
  });

  test("a ledger entry has every field, exactly one side, and is found again by its id", async () => {
    const { data } = await list(`/ledger?transaction_id=${paid.order_ids[1]}`);
    const common = {
      object: "ledger_entry",
      transaction_id: anyText,
      source: `order:${paid.order_ids[1]}:captured`,
      currency: "USD",
      balance_after: anyText,
      description: null,
      effective_at: timestamp,
      created_at: timestamp,
      entry_id: expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/) as string,
    };
    expect(data.toSorted((a, b) => String(a["account"]).localeCompare(String(b["account"])))).toEqual([
      {
        ...common,
        account: "psp:stripe:clearing",
        account_id: null,
        debit: "15.50",
        credit: null,
        entry_type: "debit",
      },
      {
        ...common,
        account: "seller:seller_charlie:pending",
        account_id: "seller_charlie",
        debit: null,
        credit: "15.50",
        entry_type: "credit",
      },
    ]);
    for (const entry of data)
      expect((await stack.call("GET", `/ledger/${String(entry["entry_id"])}`)).json).toEqual(entry);
  });

  test("the filter account_id takes an owner, account an account code, and neither takes the other", async () => {
    for (const filter of [
      "account_id=seller_bob",
      "account=seller:seller_bob:pending",
      "account_id=seller_bob&account=seller:seller_bob:pending",
    ]) {
      const { data } = await list(`/ledger?${filter}`);
      expect(
        data.map((entry) => [entry["account"], entry["credit"]]),
        filter,
      ).toEqual([["seller:seller_bob:pending", "29.99"]]);
      expect(await list(`/ledger/accounts?${filter}`), filter).toMatchObject({
        data: [{ account: "seller:seller_bob:pending", balance: "29.99" }],
      });
    }
    for (const filter of ["account_id=seller:seller_bob:pending", "account=seller_bob"]) {
      expect((await list(`/ledger?${filter}`)).data, filter).toEqual([]);
      expect((await list(`/ledger/accounts?${filter}`)).data, filter).toEqual([]);
    }
  });

  test("a seller named like an account code falsifies neither that account nor its own", async () => {
    const name = "psp:stripe:clearing";
    const balance = async (account: string): Promise<unknown> =>
      (await stack.call("GET", `/ledger/accounts/${encodeURIComponent(account)}/balance?currency=USD`)).json;
    const before = (await balance(name)) as { balance: string };
    const {
      order_ids: [id],
    } = await acceptCheckout(stack, {}, [{ seller_account: name, amount: "5.00" }]);
    await orderIn(stack, id, "SUCCESS");
    expect(await balance(name)).toMatchObject({
      account: name,
      balance: (Number(before.balance) + 5).toFixed(2),
    });
    expect(await balance(`seller:${name}:pending`)).toMatchObject({ balance: "5.00" });
    expect(await list(`/ledger/accounts?account=${name}`)).toMatchObject({
      data: [{ account: name, account_id: null }],
    });
    expect(await list(`/ledger/accounts?account_id=${name}`)).toMatchObject({
      data: [{ account: `seller:${name}:pending`, account_id: name }],
    });
    expect(await list(`/ledger?account_id=${name}`)).toMatchObject({
      data: [{ account: `seller:${name}:pending`, credit: "5.00" }],
    });
    expect((await stack.call("GET", `/wallets/${name}`)).json).toMatchObject({
      account_id: name,
      balances: [{ pending: "5.00" }],
    });
  });

  test("an order named like a transaction's number is not mixed up with that transaction", async () => {
    const [entry] = (await list(`/ledger?transaction_id=${paid.order_ids[0]}`)).data;
    const number = String(entry?.["transaction_id"]);
    const {
      order_ids: [id],
    } = await acceptCheckout(stack, {}, [
      { payment_order_id: number, amount: "1.00", seller_account: "seller_number" },
    ]);
    await orderIn(stack, id, "SUCCESS");
    const sources = async (filter: string): Promise<unknown[]> =>
      (await list(`/ledger?${filter}`)).data.map((one) => one["source"]);
    expect(new Set(await sources(`transaction_id=${number}`))).toEqual(
      new Set([`order:${paid.order_ids[0]}:captured`]),
    );
    expect(new Set(await sources(`source=order:${number}:captured`))).toEqual(
      new Set([`order:${number}:captured`]),
    );
  });

  test("the filter transaction_id gives this order's entries and no other's", async () => {
    const ids = ["tx", "tx:captured", "tx%", "t_", "tx\\", "txx"];
    for (const id of ids)
      await acceptCheckout(stack, {}, [
        { payment_order_id: id, amount: "1.00", seller_account: "seller_filter" },
      ]);
    for (const id of ids) await orderIn(stack, id, "SUCCESS");
    for (const id of ids) {
      const { data } = await list(`/ledger?transaction_id=${encodeURIComponent(id)}`);
      expect(
        data.map((entry) => entry["source"]),
        id,
      ).toEqual([`order:${id}:captured`, `order:${id}:captured`]);
    }
  });

  test("accounts, balances, statement and trial balance agree", async () => {
    const {
      data: [account],
    } = await list("/ledger/accounts?account_id=seller_bob");
    expect(account).toEqual({
      object: "ledger_account",
      account: "seller:seller_bob:pending",
      account_id: "seller_bob",
      kind: "liability",
      currency: "USD",
      balance: "29.99",
      entry_count: "1",
      created_at: timestamp,
      updated_at: timestamp,
    });
    const path = "/ledger/accounts/seller:seller_bob:pending";
    expect((await stack.call("GET", `${path}/balance?currency=USD`)).json).toEqual({
      object: "ledger_balance",
      account: "seller:seller_bob:pending",
      currency: "USD",
      balance: "29.99",
      at: null,
      basis: "recorded",
    });
    for (const basis of ["recorded", "effective"]) {
      const at = "2020-01-01T00:00:00Z";
      expect(
        (await stack.call("GET", `${path}/balance?currency=USD&at=${at}&basis=${basis}`)).json,
      ).toMatchObject({ balance: "0.00", at, basis });
    }
    expect((await list(`${path}/statement?currency=USD`)).data).toMatchObject([
      { credit: "29.99", balance_after: "29.99" },
    ]);
    const { json } = await stack.call("GET", "/ledger/trial-balance");
    expect(json).toMatchObject({ object: "trial_balance", is_balanced: true });
    const [sums] = await stack.db.asOwner(
      "select sum(amount_minor) filter (where amount_minor > 0) as debit, count(distinct account_id)::text as accounts from ledger_entries",
    );
    expect(json["currencies"]).toEqual([
      {
        currency: "USD",
        debit: (Number(sums?.["debit"]) / 100).toFixed(2),
        credit: (Number(sums?.["debit"]) / 100).toFixed(2),
        difference: "0.00",
        account_count: sums?.["accounts"],
      },
    ]);
  });
});

describe("lists", () => {
  test.for([
    ["/payments", "payment_order_id"],
    ["/wallets", "account_id"],
    ["/ledger", "entry_id"],
    ["/ledger/accounts", "account"],
    ["/ledger/accounts/psp:stripe:clearing/statement?currency=USD", "entry_id"],
  ] as const)("%s: the pages give every row once, in one order", async ([path, key]) => {
    const rows = await walk(path);
    const atOnce = (await list(`${path}${path.includes("?") ? "&" : "?"}limit=100`)).data;
    expect(rows.length).toBeGreaterThan(2);
    expect(new Set(rows.map((row) => row[key])).size).toBe(rows.length);
    expect(rows).toEqual(atOnce);
  });

  test("newest comes first, and a page does not shift when rows are added", async () => {
    const first = await list("/payments?limit=2");
    expect((await walk("/payments")).map((row) => String(row["created_at"]))).toSatisfy((times: string[]) =>
      times.every((time, index) => index === 0 || time <= (times[index - 1] ?? "")),
    );
    const late = await acceptCheckout(stack);
    const second = await list(`/payments?limit=2&cursor=${first.next_cursor}`);
    expect(second.data.map((row) => row["payment_order_id"])).not.toContain(late.order_ids[0]);
    expect((await list("/payments?limit=1")).data[0]).toMatchObject({ payment_order_id: late.order_ids[0] });
    await orderIn(stack, late.order_ids[0], "SUCCESS");
  });

  test("the page size is 25 where none is asked for", async () => {
    await acceptCheckout(
      stack,
      {},
      Array.from({ length: 30 }, () => ({ amount: "1.00", seller_account: "seller_many" })),
    );
    const page: Page = await list("/payments?seller_account=seller_many");
    expect(page).toMatchObject({ has_more: true });
    expect(page.data).toHaveLength(25);
    expect((await list("/payments?seller_account=seller_many&limit=100")).data).toHaveLength(30);
  });

  test("payments are filtered by state, currency, seller, buyer, checkout and time", async () => {
    const ids = async (query: string): Promise<unknown[]> =>
      (await list(`/payments?${query}`)).data.map((row) => row["payment_order_id"]);
    expect(await ids("status=FAILED")).toEqual(declined.order_ids);
    expect(await ids("currency=JPY&created_at[gte]=2026-01-01T00:00:00Z")).toEqual(declined.order_ids);
    expect(await ids("seller_account=seller_charlie")).toEqual([paid.order_ids[1]]);
    expect(await ids("buyer_account=nobody")).toEqual([]);
    expect((await ids(`checkout_id=${paid.checkout_id}`)).toSorted()).toEqual([...paid.order_ids].toSorted());
    const created = String(paid.reply.json["created_at"]);
    expect(await ids(`checkout_id=${paid.checkout_id}&created_at[gte]=${created}`)).toHaveLength(2);
    expect(await ids(`checkout_id=${paid.checkout_id}&created_at[lt]=${created}`)).toEqual([]);
  });

  test("a cursor that was changed, or that belongs to another list, is 400", async () => {
    const cursors = new Map<string, string>();
    for (const path of ["/payments", "/wallets", "/ledger", "/ledger/accounts"])
      cursors.set(path, String((await list(`${path}?limit=1`)).next_cursor));
    for (const [path, cursor] of cursors) {
      const changed = cursor.slice(0, -2) + (cursor.endsWith("AA") ? "BB" : "AA");
      expectProblem(await stack.call("GET", `${path}?cursor=${changed}`), 400, "invalid_cursor", "cursor");
      for (const other of cursors.keys()) {
        if (other !== path)
          expectProblem(
            await stack.call("GET", `${other}?cursor=${cursor}`),
            400,
            "invalid_cursor",
            "cursor",
          );
      }
    }
  });
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
