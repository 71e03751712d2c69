import { strict as assert } from "node:assert";
import type { CurrencyCode } from "./currencies.ts";

/**
 * An exact amount: whole minor units (cents, yen, fils) of one currency. Negative for balances and reversals.
 */
export type Money = { readonly amount_minor: bigint; readonly currency: CurrencyCode };

/**
 * The largest single payment, in minor units of its currency (inclusive): fifteen digits.
 * It passes Japan's GDP in yen (5 × 10^14), and 9,223 payments of this size still fit a PostgreSQL `bigint`
 * (2^63 − 1 ≈ 9.22 × 10^18). Sums are not bounded here: the ledger's column refuses one that overflows.
 */
export const amount_minor_max = 999_999_999_999_999n;

/** The sum. Both must have one currency: anything else is a bug and throws an AssertionError. */
export function addMoney(left: Money, right: Money): Money {
  assertSameCurrency(left, right);
  return { amount_minor: left.amount_minor + right.amount_minor, currency: left.currency };
}

/** The difference, which may be negative. Both must have one currency, else it throws an AssertionError. */
export function subtractMoney(left: Money, right: Money): Money {
  assertSameCurrency(left, right);
  return { amount_minor: left.amount_minor - right.amount_minor, currency: left.currency };
}

/**
 * −1, 0 or 1, as for `Array.prototype.sort`. Both must have one currency, else it throws an AssertionError.
 */
export function compareMoney(left: Money, right: Money): -1 | 0 | 1 {
  assertSameCurrency(left, right);
  if (left.amount_minor === right.amount_minor) return 0;
  return left.amount_minor < right.amount_minor ? -1 : 1;
}

function assertSameCurrency(left: Money, right: Money): void {
  assert.equal(left.currency, right.currency, `amounts in ${left.currency} and ${right.currency} do not mix`);
}
