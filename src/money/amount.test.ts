import fc from "fast-check";
import { expect, test } from "vitest";
import { addMoney, amount_minor_max, compareMoney, subtractMoney, type Money } from "./amount.ts";
import { toCurrencyCode } from "./currencies.ts";

const usd = (amountMinor: bigint): Money => ({ amount_minor: amountMinor, currency: toCurrencyCode("USD") });
const eur = (amountMinor: bigint): Money => ({ amount_minor: amountMinor, currency: toCurrencyCode("EUR") });

test("amounts of one currency add, subtract and compare exactly, far beyond 2^53", () => {
  expect(addMoney(usd(9_007_199_254_740_993n), usd(1n))).toEqual(usd(9_007_199_254_740_994n));
  expect(subtractMoney(usd(500n), usd(1999n))).toEqual(usd(-1499n));
  expect(compareMoney(usd(9_007_199_254_740_992n), usd(9_007_199_254_740_993n))).toBe(-1);
  expect(compareMoney(usd(5n), usd(5n))).toBe(0);
  expect(compareMoney(usd(6n), usd(-7n))).toBe(1);
});

test("what is added can be subtracted again, and order follows the difference", () => {
  fc.assert(
    fc.property(fc.bigInt(), fc.bigInt(), (left, right) => {
      expect(subtractMoney(addMoney(usd(left), usd(right)), usd(right))).toEqual(usd(left));
      const difference = subtractMoney(usd(left), usd(right)).amount_minor;
      expect(compareMoney(usd(left), usd(right))).toBe(difference === 0n ? 0 : difference < 0n ? -1 : 1);
    }),
  );
});

test("two currencies never mix: not in a sum, a difference or a comparison", () => {
  for (const operation of [addMoney, subtractMoney, compareMoney]) {
    expect(() => operation(usd(1n), eur(1n))).toThrow(expect.objectContaining({ name: "AssertionError" }));
  }
});

test("Japan's GDP in yen is within the bound, and thousands of the largest payments fit a PostgreSQL bigint", () => {
  expect(amount_minor_max).toBeGreaterThanOrEqual(500_000_000_000_000n);
  expect(amount_minor_max * 9_223n).toBeLessThan(2n ** 63n);
});
