import { openDatabase, describeChecks, verifyBooks } from "../src/cli/cli.ts";
import { AccountBalance, Entries, OrderDetail, Orders } from "./answers.ts";
import { allCheckouts, currency, paidOrders } from "./fixtures.ts";
import type { Step } from "./step-context.ts";
import { debitsOf, format, sumOf } from "./sums.ts";

export const countEverything: Step = {
  title: "The totals",
  proves: "Three records of the same money: Pacioli's orders, its ledger, and what the PSP really charged.",
  async run({ client, report, checks }) {
    const { data: listed } = await client.get("/payments?limit=100", Orders);
    const orders = await Promise.all(
      listed.map((order) => client.get(`/payments/${order.payment_order_id}`, OrderDetail)),
    );
    const paid = orders.filter((order) => order.status === "SUCCESS");
    const { data: entries } = await client.get("/ledger?limit=100", Entries);
    const clearing = await client.get(
      `/ledger/accounts/psp:stripe:clearing/balance?currency=${currency}`,
      AccountBalance,
    );
    const psp = await client.summarizeCharges();
    const sums = [
      sumOf(paid.map((order) => order.amount)),
      debitsOf(entries),
      format(BigInt(psp.amount_by_currency[currency.toLowerCase()] ?? 0)),
    ] as const;
    const checkouts = new Set(listed.map((order) => order.checkout_id)).size;
    const transactions = new Set(entries.map((entry) => entry.transaction_id)).size;
    const attempts = orders.flatMap((order) => order.attempts).length;
    report.table(
      [{ title: "" }, { title: "count", is_right: true }, { title: currency, is_right: true }, { title: "" }],
      [
        ["orders paid", String(paid.length), sums[0], `of ${orders.length} orders in ${checkouts} checkouts`],
        [
          "ledger transactions",
          String(transactions),
          sums[1],
          `${entries.length} entries; the PSP's account owes us ${clearing.balance}`,
        ],
        ["charges at the PSP", String(psp.charges), sums[2], `in ${attempts} attempts`],
      ],
    );
    checks.check(
      "every checkout is stored, and every order except the declined one is paid",
      [checkouts, orders.length - paid.length],
      [allCheckouts.length, 1],
    );
    checks.check(
      "one charge at the PSP and one ledger transaction for each paid order; no order charged twice",
      [psp.charges, paid.length, transactions, psp.duplicate_orders],
      [paidOrders.length, paidOrders.length, paidOrders.length, []],
    );
    const total = sumOf(paidOrders.map((order) => order.amount));
    checks.check(
      `all three show ${total}, and so does the PSP's account in the ledger`,
      [...sums, clearing.balance],
      [total, total, total, total],
    );
  },
};

export const verifyTheBooks: Step = {
  title: "The books are verified",
  proves: "`pacioli verify` recomputes everything from the entries, at any time.",
  async run({ stack, checks }) {
    const database = openDatabase(stack.database_url, 2, "pacioli-demo");
    try {
      for (const check of await verifyBooks(database)) {
        const [line = ""] = describeChecks([check]);
        const faults = check.faults.map((fault) => `${fault.subject}: ${fault.problem}`);
        checks.check(
          line.replace(/^\S+ /, ""),
          check.checked_count === 0n ? ["there was nothing to check"] : faults,
          [],
        );
      }
    } finally {
      await database.close();
    }
  },
};
