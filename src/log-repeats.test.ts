import { expect, test } from "vitest";
import { RepeatFilter } from "./log-repeats.ts";

const open = (): RepeatFilter => new RepeatFilter({ lines_max: 3, window_ms: 10_000, kinds_max: 2 });

test("writes the first lines of a kind and tells how many it left out once the window is over", () => {
  const filter = open();
  const written = Array.from({ length: 1_000 }, () => filter.admit("database unreachable", 5_000)).filter(
    Boolean,
  );
  expect(written).toHaveLength(3);
  expect(filter.admit("another kind", 5_000)).toBe(true);
  expect(filter.takeLeftOut(14_999)).toEqual([]);
  expect(filter.takeLeftOut(15_000)).toEqual([{ kind: "database unreachable", left_out: 997 }]);
  expect(filter.takeLeftOut(15_000)).toEqual([]);
  expect(filter.admit("database unreachable", 15_000)).toBe(true);
});

test("begins a new window by itself where nothing was left out", () => {
  const filter = open();
  for (const now_ms of [0, 10_000, 20_000, 30_000, 40_000]) expect(filter.admit("rare", now_ms)).toBe(true);
});

test("remembers a bounded number of kinds: the one that came first is forgotten, with what it left out", () => {
  const filter = open();
  for (const kind of ["first", "second"]) for (let line = 0; line < 5; line++) filter.admit(kind, 0);
  expect(filter.admit("third", 1)).toBe(true);
  expect(filter.takeLeftOut(1e9)).toEqual([{ kind: "second", left_out: 2 }]);
});
