import { expect, test } from "vitest";
import { GroupCommit } from "./group-commit.ts";

const PAUSE = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

test("items that arrive during a flush share the next one, and each gets its own result", async () => {
  const batches: number[] = [];
  const group = new GroupCommit(
    async (items: readonly number[]) => {
      batches.push(items.length);
      await PAUSE();
      return items.map((item) => item * 2);
    },
    { max_batch: 100, lanes: 1 },
  );
  const first = group.submit(1);
  await new Promise((resolve) => setImmediate(resolve));
  const rest = Array.from({ length: 50 }, (_, index) => group.submit(index));
  expect(await first).toBe(2);
  expect(await Promise.all(rest)).toEqual(Array.from({ length: 50 }, (_, index) => index * 2));
  expect(batches).toEqual([1, 50]);
});

test("a failing item fails alone", async () => {
  const group = new GroupCommit(
    async (items: readonly number[]) => {
      if (items.includes(3)) throw new Error("three");
      return items.map((item) => item + 1);
    },
    { max_batch: 100, lanes: 1 },
  );
  const results = await Promise.allSettled([1, 2, 3, 4].map((item) => group.submit(item)));
  expect(results.map((result) => result.status)).toEqual(["fulfilled", "fulfilled", "rejected", "fulfilled"]);
});

test("idle waits for everything that was handed over", async () => {
  let finished = 0;
  const group = new GroupCommit(
    async (items: readonly number[]) => {
      await PAUSE();
      finished += items.length;
      return items;
    },
    { max_batch: 2, lanes: 2 },
  );
  const all = [1, 2, 3, 4, 5].map((item) => group.submit(item));
  await group.idle();
  expect(finished).toBe(5);
  await Promise.all(all);
});
