import { describe, expect, test } from "vitest";
import { compareRounds, figuresOf } from "../../bench/figures.ts";

describe("the comparison of two commits' benchmarks", () => {
  const ledger = (grouped: number): unknown => ({
    benchmark: "ledger",
    faults: 0,
    bytes_per_transaction: 430,
    results: [{ accounts: "one hot account", size: "empty", grouped, per_call: 300, ratio: grouped / 300 }],
  });

  test("names the figures of a list of cases by the texts of each case", () => {
    expect(figuresOf(ledger(20_000)).map(({ name, value }) => [name, value])).toEqual([
      ["bytes_per_transaction", 430],
      ["one hot account, empty: grouped", 20_000],
      ["one hot account, empty: per_call", 300],
    ]);
  });

  test("compares the medians of the rounds, so that one disturbed round decides nothing", () => {
    const [, grouped] = compareRounds([20_000, 20_400, 100].map(ledger), [19_000, 1, 19_000].map(ledger));
    expect(grouped).toMatchObject({ before: 20_000, after: 19_000, ratio: 0.95 });
    expect(grouped?.gain).toBeCloseTo(-0.05);
    expect(grouped?.spread).toBeCloseTo(1.015);
  });

  test("counts a latency that grew as a loss", () => {
    const [p99] = compareRounds([{ answer_ms_p99: 10 }], [{ answer_ms_p99: 12 }]);
    expect(p99?.ratio).toBeCloseTo(1.2);
    expect(p99?.gain).toBeCloseTo(-0.2);
  });

  test("refuses to compare runs that have no figure in common", () => {
    expect(() => compareRounds([{ other: 1 }], [{ answer_ms_p99: 12 }])).toThrow("no figure in common");
  });
});
