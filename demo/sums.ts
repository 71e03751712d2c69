import { formatAmount, parseAmount, toCurrencyCode } from "../src/money/money.ts";
import type { Entry } from "./answers.ts";
import { currency } from "./fixtures.ts";

const code = toCurrencyCode(currency);

/** The exact sum of decimal strings, as one. */
export function sumOf(amounts: readonly string[]): string {
  return format(amounts.reduce((sum, amount) => sum + minorUnits(amount), 0n));
}

/** Minor units as a decimal string. */
export function format(amount_minor: bigint): string {
  return formatAmount({ amount_minor, currency: code });
}

function minorUnits(amount: string): bigint {
  const parsed = parseAmount(amount, code);
  if (!parsed.ok) throw new Error(`"${amount}" is not an amount: ${parsed.reason}`);
  return parsed.money.amount_minor;
}

export const debitsOf = (entries: readonly Entry[]): string =>
  sumOf(entries.flatMap((entry) => entry.debit ?? []));
export const creditsOf = (entries: readonly Entry[]): string =>
  sumOf(entries.flatMap((entry) => entry.credit ?? []));

/** Entries by transaction, the oldest transaction first, its debits before its credits. */
export function byTransaction(entries: readonly Entry[]): readonly (readonly Entry[])[] {
  const transactions = Map.groupBy(entries.toReversed(), (entry) => entry.transaction_id);
  return [...transactions.values()].map((group) =>
    group.toSorted((a, b) => Number(a.debit === null) - Number(b.debit === null)),
  );
}
