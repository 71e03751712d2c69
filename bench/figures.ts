/** Reads the figures out of a benchmark's JSON line, and compares those of two commits. */

type Direction = "higher is better" | "lower is better";

/**
 * The figures to compare, by their names in the JSON; other numbers there describe the run. The latency at a fixed
 * rate is compared by turns (`compare-latency.ts`): in rounds it lay 20 to 100 % apart for one commit.
 */
const directions: Readonly<Record<string, Direction>> = {
  accepted_per_second: "higher is better",
  finished_per_second: "higher is better",
  answer_ms_p50: "lower is better",
  answer_ms_p99: "lower is better",
  verify_seconds: "lower is better",
  grouped: "higher is better",
  per_call: "higher is better",
  bytes_per_transaction: "lower is better",
};

export type Figure = { readonly name: string; readonly direction: Direction; readonly value: number };

export type Comparison = {
  readonly name: string;
  readonly direction: Direction;
  /** Medians over the rounds. */
  readonly before: number;
  readonly after: number;
  readonly ratio: number;
  /** By how much `after` is better (above 0) or worse (below 0), as a share of `before`. */
  readonly gain: number;
  /** The spread of the rounds of `before`, as a share of their median: smaller differences mean nothing. */
  readonly spread: number;
};

/** The compared figures of one run; a list of cases is named by the texts of each case. */
export function figuresOf(result: unknown, prefix = ""): readonly Figure[] {
  if (Array.isArray(result))
    return result.flatMap((one: unknown) => figuresOf(one, `${prefix}${caseName(one)}: `));
  if (typeof result !== "object" || result === null) return [];
  return Object.entries(result).flatMap(([name, value]: [string, unknown]): readonly Figure[] => {
    if (typeof value === "object") return figuresOf(value, prefix);
    const direction = directions[name];
    return direction === undefined || typeof value !== "number"
      ? []
      : [{ name: `${prefix}${name}`, direction, value }];
  });
}

/** One row for each figure that both have. Throws if there are none. */
export function compareRounds(before: readonly unknown[], after: readonly unknown[]): readonly Comparison[] {
  const [old, current] = [valuesByName(before), valuesByName(after)];
  const compared = [...old.values()].flatMap((figure): Comparison[] => {
    const values = current.get(figure.name)?.values;
    if (values === undefined) return [];
    const [beforeMedian, afterMedian] = [median(figure.values), median(values)];
    const ratio = afterMedian / beforeMedian;
    return [
      {
        name: figure.name,
        direction: figure.direction,
        before: beforeMedian,
        after: afterMedian,
        ratio,
        gain: figure.direction === "higher is better" ? ratio - 1 : 1 - ratio,
        spread: (Math.max(...figure.values) - Math.min(...figure.values)) / beforeMedian,
      },
    ];
  });
  if (compared.length === 0) throw new Error("the two commits have no figure in common");
  return compared;
}

type Values = { readonly name: string; readonly direction: Direction; readonly values: number[] };

function valuesByName(rounds: readonly unknown[]): Map<string, Values> {
  const byName = new Map<string, Values>();
  for (const { name, direction, value } of rounds.flatMap((round) => figuresOf(round))) {
    const known = byName.get(name);
    if (known === undefined) byName.set(name, { name, direction, values: [value] });
    else known.values.push(value);
  }
  return byName;
}

function caseName(one: unknown): string {
  if (typeof one !== "object" || one === null) return "";
  return Object.values(one)
    .filter((value) => typeof value === "string")
    .join(", ");
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const [low = Number.NaN, high = Number.NaN] = [
    sorted[Math.floor((sorted.length - 1) / 2)],
    sorted[Math.floor(sorted.length / 2)],
  ];
  return (low + high) / 2;
}
