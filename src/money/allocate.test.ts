import { allocate as allocateInDinero, dinero, toSnapshot } from "dinero.js/bigint";
import { USD } from "dinero.js/bigint/currencies";
import fc from "fast-check";
import { expect, test } from "vitest";
import { allocate, shareInBasisPoints } from "./allocate.ts";
import type { Money } from "./amount.ts";
import { toCurrencyCode } from "./currencies.ts";

const usd = (amountMinor: bigint): Money => ({ amount_minor: amountMinor, currency: toCurrencyCode("USD") });
const split = (amountMinor: bigint, weights: readonly bigint[]): bigint[] =>
  allocate(usd(amountMinor), weights).map((part) => part.amount_minor);
const share = (amountMinor: bigint, basisPoints: bigint): bigint =>
  shareInBasisPoints(usd(amountMinor), basisPoints).amount_minor;

const amounts = fc.bigInt({ min: -(10n ** 18n), max: 10n ** 18n });
const anyWeight = fc.oneof(fc.bigInt({ min: 0n, max: 5n }), fc.bigInt({ min: 0n, max: 10n ** 12n }));
const weightLists = fc
  .array(anyWeight, { minLength: 1, maxLength: 12 })
  .filter((weights) => weights.some((weight) => weight > 0n));

const sum = (values: readonly bigint[]): bigint => values.reduce((total, value) => total + value, 0n);
const absolute = (value: bigint): bigint => (value < 0n ? -value : value);

test.each([
  [100_003n, [50n, 30n, 20n], [50_001n, 30_001n, 20_001n]],
  [100n, [1n, 1n, 1n], [34n, 33n, 33n]],
  [5n, [3n, 7n], [2n, 3n]],
  [1n, [1n, 2n], [0n, 1n]],
  [2n, [1n, 1n, 1n, 1n], [1n, 1n, 0n, 0n]],
  [101n, [0n, 1n, 0n, 1n], [0n, 51n, 0n, 50n]],
  [0n, [1n, 2n], [0n, 0n]],
  [7n, [4n], [7n]],
])("%s split by %s gives %s", (amountMinor, weights, parts) => {
  expect(split(amountMinor, weights)).toEqual(parts);
});

test("the unit left over goes to the largest remainder, not to the first part", () => {
  expect(split(10n, [33n, 33n, 34n])).toEqual([3n, 3n, 4n]);
});

test("every part keeps the currency", () => {
  expect(allocate(usd(5n), [1n, 1n])).toEqual([usd(3n), usd(2n)]);
});

test("the parts add up to the amount, and each is less than one unit from its exact share", () => {
  fc.assert(
    fc.property(amounts, weightLists, (amountMinor, weights) => {
      const parts = split(amountMinor, weights);
      const whole = sum(weights);
      expect(parts).toHaveLength(weights.length);
      expect(sum(parts)).toBe(amountMinor);
      for (const [index, part] of parts.entries()) {
        const weight = weights[index] ?? 0n;
        expect(absolute(part * whole - amountMinor * weight)).toBeLessThan(whole);
        if (weight === 0n) expect(part).toBe(0n);
      }
    }),
    { numRuns: 500 },
  );
});

test("a part rounded up has a larger remainder than one rounded down, or the same and a lower index", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 10n ** 18n }), weightLists, (amountMinor, weights) => {
      const whole = sum(weights);
      const graded = split(amountMinor, weights).map((part, index) => {
        const exact = amountMinor * (weights[index] ?? 0n);
        return { index, remainder: exact % whole, up: part > exact / whole };
      });
      for (const up of graded.filter((part) => part.up)) {
        for (const down of graded.filter((part) => !part.up)) {
          const first =
            up.remainder > down.remainder || (up.remainder === down.remainder && up.index < down.index);
          expect(first).toBe(true);
        }
      }
    }),
    { numRuns: 500 },
  );
});

test("a negative amount splits as the mirror of the positive one", () => {
  fc.assert(
    fc.property(amounts, weightLists, (amountMinor, weights) => {
      expect(split(-amountMinor, weights)).toEqual(split(amountMinor, weights).map((part) => -part));
    }),
  );
  expect(split(-100_003n, [50n, 30n, 20n])).toEqual([-50_001n, -30_001n, -20_001n]);
});

test("dinero.js splits alike where its rule is the same: equal weights, some of them zero", () => {
  // With unequal weights it hands out the left-over units from the first part on, whatever the remainders.
  const equalWeights = fc
    .array(fc.constantFrom(0n, 1n), { minLength: 1, maxLength: 12 })
    .filter((weights) => weights.includes(1n));
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 10n ** 18n }), equalWeights, (amount, weights) => {
      const theirs = allocateInDinero(dinero({ amount, currency: USD }), weights);
      expect(split(amount, weights)).toEqual(theirs.map((part) => toSnapshot(part).amount));
    }),
  );
});

test("weights that are empty, all zero or negative are a bug of the caller", () => {
  for (const weights of [[], [0n], [0n, 0n], [1n, -1n], [2n, -1n]]) {
    expect(() => split(100n, weights)).toThrow(expect.objectContaining({ name: "AssertionError" }));
  }
});

test.each([
  [10_000n, 250n, 250n],
  [100_003n, 5000n, 50_002n],
  [100_003n, 3000n, 30_001n],
  [1999n, 1000n, 200n],
  [1n, 5000n, 1n],
  [1n, 4999n, 0n],
  [3n, 5000n, 2n],
  [1999n, 0n, 0n],
  [1999n, 10_000n, 1999n],
  [-1999n, 1000n, -200n],
])("of %s minor units, %s basis points are %s", (amountMinor, basisPoints, expected) => {
  expect(share(amountMinor, basisPoints)).toBe(expected);
});

test("a share in basis points is the exact one rounded to the nearest, halves away from zero", () => {
  fc.assert(
    fc.property(amounts, fc.bigInt({ min: 0n, max: 10_000n }), (amountMinor, basisPoints) => {
      const magnitude = (absolute(amountMinor) * basisPoints * 2n + 10_000n) / 20_000n;
      expect(share(amountMinor, basisPoints)).toBe(amountMinor < 0n ? -magnitude : magnitude);
    }),
  );
});

test("a rate below nothing or above the whole is a bug of the caller", () => {
  for (const basisPoints of [-1n, 10_001n]) {
    expect(() => share(100n, basisPoints)).toThrow(expect.objectContaining({ name: "AssertionError" }));
  }
});
