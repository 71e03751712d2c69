import { describe, expect, test } from "vitest";
import { compareFigure, measureByTurns } from "../../bench/by-turns.ts";

describe("the comparison of two commits by turns", () => {
  test("measures both in every slice, and the other one first in every second slice", async () => {
    const order: string[] = [];
    const pairs = await measureByTurns(["old", "new"], 3, async (side) => {
      order.push(side);
      return side;
    });
    expect(order).toEqual(["old", "new", "new", "old", "old", "new"]);
    expect(pairs).toEqual(Array.from({ length: 3 }, () => ({ before: "old", after: "new" })));
  });

  test("compares neighboring slices, so that a machine that slows down decides nothing", () => {
    const speeds = [1, 0.9, 0.5, 0.4, 0.3];
    const pairs = speeds.map((speed) => ({ before: 1_000 * speed, after: 950 * speed }));
    const compared = compareFigure("payments", pairs, (value) => value);
    expect(compared).toMatchObject({ name: "payments", before: 500, after: 475 });
    expect(compared.ratio).toBeCloseTo(0.95);
    expect(compared.standard_error).toBeCloseTo(0);
  });

  test("one disturbed slice moves the standard error, not the ratio", () => {
    const pairs = [100, 100, 10, 100, 100].map((after) => ({ before: 100, after }));
    const { ratio, standard_error } = compareFigure("payments", pairs, (value) => value);
    expect(ratio).toBe(1);
    expect(standard_error).toBeGreaterThan(0.3);
  });
});
