import { strict as assert } from "node:assert";
import type { Money } from "./amount.ts";

/** One hundredth of a percent is one basis point, so this many are the whole. */
const basis_points_whole = 10_000n;

/**
 * Splits an amount in proportion to `weights` by the largest remainder: each part is rounded towards zero,
 * and the minor units left over go one each to the largest remainders, ties to the lower index. The parts add
 * up to the amount exactly, a weight of zero gets nothing, and a negative amount splits as the mirror of the
 * positive one.
 *
 * Throws an AssertionError on a negative weight or when no weight is positive.
 */
export function allocate(money: Money, weights: readonly bigint[]): Money[] {
  let totalWeight = 0n;
  for (const weight of weights) {
    assert.ok(weight >= 0n, "a weight is never negative");
    totalWeight += weight;
  }
  assert.ok(totalWeight > 0n, "some weight must be positive");

  const negative = money.amount_minor < 0n;
  const magnitude = negative ? -money.amount_minor : money.amount_minor;
  return splitByLargestRemainder(magnitude, weights, totalWeight).map((partMinor) => ({
    amount_minor: negative ? -partMinor : partMinor,
    currency: money.currency,
  }));
}

/**
 * The part of an amount that a rate in basis points takes (250n is 2.5 %): the first part of
 * `allocate(money, [basisPoints, 10000n - basisPoints])`, so half a minor unit goes to this share.
 * Shares taken one by one need not add up: split among three or more with `allocate`.
 *
 * Throws an AssertionError outside 0n to 10000n.
 */
export function shareInBasisPoints(money: Money, basisPoints: bigint): Money {
  assert.ok(basisPoints >= 0n && basisPoints <= basis_points_whole, "basis points lie between 0 and 10000");
  const [share] = allocate(money, [basisPoints, basis_points_whole - basisPoints]);
  assert.ok(share !== undefined);
  return share;
}

function splitByLargestRemainder(
  magnitude: bigint,
  weights: readonly bigint[],
  totalWeight: bigint,
): bigint[] {
  const shares = weights.map((weight, index) => {
    const scaled = magnitude * weight;
    return { index, part: scaled / totalWeight, remainder: scaled % totalWeight };
  });
  const parts = shares.map((share) => share.part);
  let leftOver = parts.reduce((rest, part) => rest - part, magnitude);

  // Fewer units are left over than there are nonzero remainders, so no weight of zero is ever reached.
  const byRemainder = shares.toSorted((a, b) => compareBigint(b.remainder, a.remainder) || a.index - b.index);
  for (const share of byRemainder) {
    if (leftOver === 0n) break;
    parts[share.index] = share.part + 1n;
    leftOver -= 1n;
  }
  return parts;
}

function compareBigint(left: bigint, right: bigint): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}
