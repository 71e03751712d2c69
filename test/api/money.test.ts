import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { verifyBooks } from "../../src/cli/verify.ts";
import { startTestStack, type TestStack } from "../support/stack.ts";
import { acceptCheckout, orderIn, until } from "./requests.ts";

const sellers = { usd: "seller_cents", mixed: "seller_of_the_world" };
let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack({ environment: { COMMISSION_BASIS_POINTS: "250" } });
});
afterAll(() => stack.stopAll());

type Entry = {
  readonly account: string;
  readonly currency: string;
  readonly debit: string | null;
  readonly credit: string | null;
};

async function entriesOf(paymentOrderId: string): Promise<Record<string, Entry>> {
  const { json } = await stack.call("GET", `/ledger?transaction_id=${paymentOrderId}`);
  return Object.fromEntries((json["data"] as Entry[]).map((entry) => [entry.account, entry]));
}

/** Minor units of a decimal string, by text alone. */
const minor = (text: string | null | undefined): bigint => BigInt((text ?? "0").replace(".", ""));

describe("a commission of 2.5 %", () => {
  // Gross, the platform's share, the seller's: 2.5 % rounded to the minor unit, a half going to the platform.
  test.for([
    ["29.99", "0.75", "29.24"],
    ["15.50", "0.39", "15.11"],
    ["19.99", "0.50", "19.49"],
    ["0.29", "0.01", "0.28"],
    ["0.20", "0.01", "0.19"],
    ["0.19", null, "0.19"],
    ["0.01", null, "0.01"],
    ["100.00", "2.50", "97.50"],
    ["999999.99", "25000.00", "974999.99"],
  ] as const)("%s USD is split exactly into %s and %s", async ([amount, commission, share]) => {
    const { order_ids } = await acceptCheckout(stack, {}, [{ amount, seller_account: sellers.usd }]);
    await orderIn(stack, order_ids[0], "SUCCESS");
    const entries = await entriesOf(order_ids[0]);
    expect(entries["psp:stripe:clearing"]).toMatchObject({ debit: amount, credit: null });
    expect(entries[`seller:${sellers.usd}:pending`]).toMatchObject({ debit: null, credit: share });
    // A share of nothing has no entry.
    expect(entries["platform:commission"]?.credit ?? null).toBe(commission);
    expect(minor(share) + minor(commission)).toBe(minor(amount));
  });

  test("the wallet, the commission account and the PSP's debt add up over all orders", async () => {
    const balanceOf = async (account: string): Promise<bigint> =>
      minor(
        (await stack.call("GET", `/ledger/accounts/${account}/balance?currency=USD`)).json[
          "balance"
        ] as string,
      );
    const [gross] = await stack.db.asOwner(
      "select sum(amount_minor)::text as sum from payment_orders where status = 'SUCCESS' and currency = 'USD'",
    );
    expect(await balanceOf("psp:stripe:clearing")).toBe(BigInt(String(gross?.["sum"])));
    expect(
      (await balanceOf(`seller:${sellers.usd}:pending`)) + (await balanceOf("platform:commission")),
    ).toBe(BigInt(String(gross?.["sum"])));
  });
});

describe("several currencies for one buyer and one seller (R199, R200)", () => {
  const orders = [
    // Amount, currency, what Stripe is sent, the seller's share.
    ["500", "JPY", 500, "487"],
    ["19.99", "EUR", 1_999, "19.49"],
    ["0.29", "USD", 29, "0.28"],
    ["1.230", "BHD", 1_230, "1.199"],
    ["7", "KRW", 7, "7"],
    ["12.3", "GBP", 1_230, "11.99"],
    ["1000", "ISK", 100_000, "975"],
  ] as const;

  test("each order is charged, booked and shown in its own currency and precision", async () => {
    const { checkout_id, order_ids } = await acceptCheckout(
      stack,
      {},
      orders.map(([amount, currency]) => ({ amount, currency, seller_account: sellers.mixed })),
    );
    for (const [index, [, currency, sent, share]] of orders.entries()) {
      const id = order_ids[index] ?? "";
      await orderIn(stack, id, "SUCCESS");
      expect(await stack.effects(`payment_order_id=${id}`)).toMatchObject({
        count: 1,
        amount_by_currency: { [currency.toLowerCase()]: sent },
      });
      const entries = Object.values(await entriesOf(id));
      expect(new Set(entries.map((entry) => entry.currency))).toEqual(new Set([currency]));
      expect(entries.find((entry) => entry.account.startsWith("seller:"))).toMatchObject({ credit: share });
    }
    const { json } = await stack.call("GET", `/wallets/${sellers.mixed}`);
    const balances = (json["balances"] as { currency: string; pending: string; total: string }[]).map(
      ({ currency, pending, total }) => [currency, pending, total],
    );
    expect(balances).toEqual(
      orders
        .map(([, currency, , share]) => [currency, share, share])
        .toSorted(([a = ""], [b = ""]) => a.localeCompare(b)),
    );
    expect((await stack.call("GET", `/checkouts/${checkout_id}`)).json).toMatchObject({
      is_payment_done: true,
    });
  });

  test("the trial balance is balanced in each currency by itself", async () => {
    const { json } = await stack.call("GET", "/ledger/trial-balance");
    expect(json["is_balanced"]).toBe(true);
    const currencies = json["currencies"] as {
      currency: string;
      debit: string;
      credit: string;
      difference: string;
    }[];
    expect(currencies.map(({ currency }) => currency)).toEqual(
      orders.map(([, currency]) => currency).toSorted(),
    );
    for (const { currency, debit, credit, difference } of currencies) {
      expect(debit, currency).toBe(credit);
      expect(minor(difference), currency).toBe(0n);
      expect(minor(debit) > 0n, currency).toBe(true);
    }
  });

  test("lists are filtered by currency", async () => {
    expect((await stack.call("GET", "/wallets?currency=BHD")).json["data"]).toMatchObject([
      { account_id: sellers.mixed },
    ]);
    expect((await stack.call("GET", "/wallets?currency=CHF")).json["data"]).toEqual([]);
    expect(
      (await stack.call("GET", "/ledger?currency=BHD&created_at[gte]=2026-01-01T00:00:00Z")).json["data"],
    ).toHaveLength(3);
    expect((await stack.call("GET", "/ledger/accounts?currency=JPY")).json["data"]).toHaveLength(3);
  });
});

test("every amount from 0.01 to 3.00 is charged and booked to the cent (R196)", async () => {
  const amounts = Array.from({ length: 300 }, (_, index) => index + 1);
  const seller_account = "seller_of_every_cent";
  for (let from = 0; from < amounts.length; from += 100) {
    await acceptCheckout(
      stack,
      {},
      amounts
        .slice(from, from + 100)
        .map((cents) => ({
          amount: `${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, "0")}`,
          seller_account,
          payment_order_id: `cents-${cents}`,
        })),
    );
  }
  await until(
    "all are paid",
    async () =>
      (
        await stack.db.asOwner(
          "select 1 from payment_orders where payment_order_id like 'cents-%' and status <> 'SUCCESS' limit 1",
        )
      ).length === 0,
  );
  const rows = await stack.db.asOwner(
    `select o.payment_order_id, e.amount_minor::text as debit_minor
       from payment_orders o
       join ledger_transactions t on t.kind = 'captured' and t.subject_id = o.payment_order_id
       join ledger_entries e on e.transaction_id = t.transaction_id and e.amount_minor > 0
      where o.payment_order_id like 'cents-%'`,
  );
  expect(rows).toHaveLength(amounts.length);
  for (const row of rows) expect(row["payment_order_id"]).toBe(`cents-${row["debit_minor"]}`);
});

test("a part of an amount is captured to the minor unit", async () => {
  const {
    order_ids: [id],
  } = await acceptCheckout(stack, { capture_method: "manual" }, [{ amount: "100.01" }]);
  await orderIn(stack, id, "AUTHORIZED");
  await stack.call("POST", `/payments/${id}/capture`, { capture_id: "part", amount: "33.34" });
  expect(await orderIn(stack, id, "SUCCESS")).toMatchObject({ amount: "100.01", captured_amount: "33.34" });
});

test("the books have no faults after all this, and the checks looked at everything", async () => {
  const checks = await verifyBooks(stack.db.database);
  expect(checks.flatMap((check) => check.faults)).toEqual([]);
  expect(checks.every((check) => check.checked_count > 0n)).toBe(true);
});
