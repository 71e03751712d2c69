import { openDatabase } from "../src/cli/cli.ts";
import { Entries, TrialBalance, Wallets, type Entry } from "./answers.ts";
import { currency, twoSellers } from "./fixtures.ts";
import { tryToRewriteHistory } from "./queries.ts";
import type { Step } from "./step-context.ts";
import { byTransaction, creditsOf, debitsOf, sumOf } from "./sums.ts";

export const showWallets: Step = {
  title: "The sellers' wallets",
  proves: "A wallet is a view of the seller's ledger accounts, not a second record that could drift.",
  async run({ client, report, checks }) {
    const { data } = await client.get("/wallets", Wallets);
    const rows = data
      .flatMap((wallet) => wallet.balances.map((balance) => ({ ...balance, seller: wallet.account_id })))
      .toSorted((a, b) => a.seller.localeCompare(b.seller));
    report.table(
      [
        { title: "seller" },
        { title: "pending", is_right: true },
        { title: "available", is_right: true },
        { title: "total", is_right: true },
        { title: "" },
      ],
      rows.map((row) => [row.seller, row.pending, row.available, row.total, row.currency]),
    );
    checks.check(
      "each seller's wallet holds exactly what buyers paid them",
      rows.map((row) => [row.seller, row.total]),
      twoSellers.orders.map((order) => [order.seller_account, order.amount]),
    );
  },
};

export const showLedger: Step = {
  title: "The ledger, by transaction",
  proves:
    "Every movement has two entries, where the money comes from and where it goes, and they never change.",
  async run({ client, report, checks, stack }) {
    const { data: entries } = await client.get("/ledger?limit=100", Entries);
    const transactions = byTransaction(entries);
    report.table(
      [
        { title: "transaction" },
        { title: "order" },
        { title: "account" },
        { title: "debit", is_right: true },
        { title: "credit", is_right: true },
      ],
      transactions.flatMap((transaction) => transaction.map(rowOf)),
    );
    checks.check(
      "one transaction per order, with its amount on both sides",
      Object.fromEntries(
        transactions.map((transaction) => [
          transaction[0]?.subject_id,
          [debitsOf(transaction), creditsOf(transaction)],
        ]),
      ),
      Object.fromEntries(
        twoSellers.orders.map((order) => [order.payment_order_id, [order.amount, order.amount]]),
      ),
    );
    const database = openDatabase(stack.database_url, 2, "pacioli-demo");
    try {
      const insufficientPrivilege = "42501";
      checks.check(
        "PostgreSQL refuses UPDATE, DELETE and TRUNCATE of entries with the service's own login",
        await tryToRewriteHistory(database),
        [insufficientPrivilege, insufficientPrivilege, insufficientPrivilege],
      );
    } finally {
      await database.close();
    }
  },
};

export const proveBalance: Step = {
  title: "Debits equal credits",
  proves:
    "The oldest check in bookkeeping (Luca Pacioli, 1494): summed from the entries, and read from the API.",
  async run({ client, report, checks }) {
    const { data: entries } = await client.get("/ledger?limit=100", Entries);
    const trial = await client.get("/ledger/trial-balance", TrialBalance);
    const [usd] = trial.currencies;
    report.table(
      [{ title: "" }, { title: "debit", is_right: true }, { title: "credit", is_right: true }, { title: "" }],
      [
        [`sum of the ${entries.length} entries`, debitsOf(entries), creditsOf(entries), currency],
        ["trial balance", usd?.debit ?? "", usd?.credit ?? "", usd?.currency ?? ""],
      ],
    );
    const total = sumOf(twoSellers.orders.map((order) => order.amount));
    checks.check(
      `${total} on each side, by both methods`,
      [
        debitsOf(entries),
        creditsOf(entries),
        usd?.debit,
        usd?.credit,
        usd?.difference,
        trial.is_balanced,
        trial.currencies.length,
      ],
      [total, total, total, total, "0.00", true, 1],
    );
  },
};

function rowOf(entry: Entry, index: number): string[] {
  const name = index === 0 ? [entry.transaction_kind, entry.subject_id] : ["", ""];
  return [...name, entry.account, entry.debit ?? "", entry.credit ?? ""];
}
