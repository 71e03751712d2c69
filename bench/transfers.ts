import type { chart as chartOfThisTree, TransactionDraft } from "../src/ledger/ledger.ts";
import { toCurrencyCode } from "../src/money/money.ts";

type Chart = typeof chartOfThisTree;

export type Draw = () => TransactionDraft;

export type Draws = Readonly<Record<"one hot account" | "one hot, 10,000 sellers" | "10,000 random", Draw>>;

const usd = toCurrencyCode("USD");

/** The cases that the ledger is measured on, with the accounts of one tree's chart. */
export const drawsOf = (chart: Chart): Draws => ({
  // Every transfer touches the PSP's clearing account; the other side is one of a hundred busy sellers.
  "one hot account": () =>
    transfer(chart.pspClearing("stripe", usd), chart.sellerPending(`seller-${random(100)}`, usd)),
  // The harder hot case: the other side is one of 10,000 sellers, so each batch moves about 950 accounts.
  "one hot, 10,000 sellers": () =>
    transfer(chart.pspClearing("stripe", usd), chart.sellerPending(`seller-${random(10_000)}`, usd)),
  // Both sides are drawn from 10,000 accounts.
  "10,000 random": () =>
    transfer(
      chart.pspClearing(`psp-${random(10_000)}`, usd),
      chart.sellerPending(`seller-${random(10_000)}`, usd),
    ),
});

let count = 0;
const run = Date.now().toString(36).padStart(10, "0");

/** As long a name as a real one: an order's id of 26 characters. `source` is what earlier commits called it. */
function transfer(
  debit: TransactionDraft["entries"][number]["account"],
  credit: TransactionDraft["entries"][number]["account"],
): TransactionDraft & { readonly source: string } {
  count += 1;
  const amount_minor = BigInt(1 + random(100_000));
  const subject_id = `${run}${String(count).padStart(16, "0")}`;
  return {
    kind: "captured",
    subject_type: "order",
    subject_id,
    part: "",
    source: `order:${subject_id}:captured`,
    entries: [
      { account: debit, amount_minor },
      { account: credit, amount_minor: -amount_minor },
    ],
  };
}

function random(below: number): number {
  return Math.floor(Math.random() * below);
}
