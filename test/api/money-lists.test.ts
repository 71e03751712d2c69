import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { formatAmount } from "../../src/money/money.ts";
import { pageOf, type Page } from "../support/answers.ts";
import { usd } from "../support/ledger.ts";
import { startTestStack, type TestStack } from "../support/stack.ts";
import { paidAndDeclined } from "./paid-and-declined.ts";
import { type SentCheckout, acceptCheckout, expectProblem, orderIn } from "./requests.ts";

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
      transaction_kind: "captured",
      subject_type: "order",
      subject_id: paid.order_ids[1],
      part: null,
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
    const fiveMoreThan = (text: string): string =>
      formatAmount({ amount_minor: BigInt(text.replace(".", "")) + 500n, currency: usd });
    const {
      order_ids: [id],
    } = await acceptCheckout(stack, {}, [{ seller_account: name, amount: "5.00" }]);
    await orderIn(stack, id, "SUCCESS");
    expect(await balance(name)).toMatchObject({ account: name, balance: fiveMoreThan(before.balance) });
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
    const subjects = async (filter: string): Promise<unknown[]> =>
      (await list(`/ledger?${filter}`)).data.map((one) => one["subject_id"]);
    expect(new Set(await subjects(`transaction_id=${number}`))).toEqual(new Set([paid.order_ids[0]]));
    expect(await subjects(`subject_id=${number}`)).toEqual([number, number]);
    expect(await subjects(`subject_id=${number}&transaction_kind=captured`)).toEqual([number, number]);
    expect(await subjects(`subject_id=${number}&transaction_kind=released`)).toEqual([]);
    expect(await subjects(`subject_id=${number}&subject_type=adjustment`)).toEqual([]);
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
        data.map((entry) => [entry["transaction_kind"], entry["subject_id"]]),
        id,
      ).toEqual([
        ["captured", id],
        ["captured", id],
      ]);
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
      role: "seller_pending",
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
      basis: "booked",
      booked_at: null,
      is_final: false,
    });
    for (const basis of ["booked", "effective"]) {
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
      `select sum(amount_minor) filter (where amount_minor > 0)::text as debit,
              (-sum(amount_minor) filter (where amount_minor < 0))::text as credit,
              count(distinct account_id)::text as accounts
         from ledger_entries`,
    );
    expect(json["currencies"]).toEqual([
      {
        currency: "USD",
        debit: formatAmount({ amount_minor: BigInt(String(sums?.["debit"])), currency: usd }),
        credit: formatAmount({ amount_minor: BigInt(String(sums?.["credit"])), currency: usd }),
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
