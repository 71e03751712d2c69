import { progress } from "./report.ts";

/** What was measured on each side in two neighboring slices of time. */
export type Pair<Measured> = { readonly before: Measured; readonly after: Measured };

export type Comparison = {
  readonly name: string;
  /** Medians over the slices. */
  readonly before: number;
  readonly after: number;
  /** The median of the ratios of neighboring slices: both saw the same machine. */
  readonly ratio: number;
  /** Of the ratio, as a share of it. */
  readonly standard_error: number;
};

/**
 * Measures one side and then the other, again and again: from minute to minute the speed of a machine differs
 * more than two commits do.
 */
export async function measureByTurns<Side, Measured>(
  [before, after]: readonly [Side, Side],
  slices: number,
  measure: (side: Side) => Promise<Measured>,
): Promise<readonly Pair<Measured>[]> {
  const pairs: Pair<Measured>[] = [];
  for (let slice = 1; slice <= slices; slice++) {
    if (slice % 5 === 1) progress(`slice ${slice} of ${slices} …`);
    // The order changes with each slice, so that neither side always follows the other.
    if (slice % 2 === 1) pairs.push({ before: await measure(before), after: await measure(after) });
    else {
      const later = await measure(after);
      pairs.push({ before: await measure(before), after: later });
    }
  }
  return pairs;
}

export function compareFigure<Measured>(
  name: string,
  pairs: readonly Pair<Measured>[],
  valueOf: (measured: Measured) => number,
): Comparison {
  const [before, after] = [
    pairs.map((pair) => valueOf(pair.before)),
    pairs.map((pair) => valueOf(pair.after)),
  ];
  const ratios = pairs.map((_, index) => (after[index] ?? Number.NaN) / (before[index] ?? Number.NaN));
  return {
    name,
    before: median(before),
    after: median(after),
    ratio: median(ratios),
    standard_error: standardErrorOfMedian(ratios.map(Math.log)),
  };
}

/** sqrt(pi / 2) times the standard error of the mean: the median of about normal values. */
function standardErrorOfMedian(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
  return Math.sqrt(Math.PI / 2) * Math.sqrt(variance / values.length);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const [low = Number.NaN, high = Number.NaN] = [
    sorted[Math.floor((sorted.length - 1) / 2)],
    sorted[Math.floor(sorted.length / 2)],
  ];
  return (low + high) / 2;
}
