import { expect, test } from "vitest";
import { LruMap } from "./lru-map.ts";
import { RateWindows, addressGroup } from "./rate-limit.ts";

test("counts the requests of each key within one second, and begins anew in the next", () => {
  let now = 0;
  const windows = new RateWindows(() => now);
  expect(["a", "a", "b", "a"].map((key) => windows.add(key))).toEqual([1, 2, 1, 3]);
  now = 999;
  expect(windows.add("a")).toBe(4);
  now = 1_000;
  expect(windows.add("a")).toBe(1);
});

test("the memory of a rate limit shrinks to the keys of the last second, however many addresses have called", () => {
  let now = 0;
  const windows = new RateWindows(() => now);
  for (let address = 0; address < 50_000; address++) windows.add(`10.0.${address}`);
  expect(windows.size).toBe(50_000);
  now = 1_000;
  windows.add("10.0.0.1");
  expect(windows.size).toBe(1);
});

test("a rate limit never remembers more than 100,001 keys, and counts those beyond as one", () => {
  const windows = new RateWindows(() => 0);
  const counts = Array.from({ length: 150_000 }, (_, address) => windows.add(String(address)));
  expect(windows.size).toBe(100_001);
  expect(counts.at(-1)).toBe(50_000);
  expect(windows.add("0")).toBe(2);
});

test.each([
  ["203.0.113.7", "203.0.113.7"],
  ["::ffff:203.0.113.7", "203.0.113.7"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:DB8:1:2::9", "2001:db8:1:2::/64"],
  ["2001:db8::1", "2001:db8:0:0::/64"],
  ["::1", "0:0:0:0::/64"],
])("the address %s is limited as %s", (address, group) => {
  expect(addressGroup(address)).toBe(group);
});

test("a full LRU map drops the one entry that was not used for the longest time", () => {
  const map = new LruMap<string, number>(3);
  for (const [key, value] of [
    ["a", 1],
    ["b", 2],
    ["c", 3],
  ] as const)
    map.set(key, value);
  expect(map.get("a")).toBe(1);
  map.set("d", 4);
  expect(["a", "b", "c", "d"].map((key) => map.get(key))).toEqual([1, undefined, 3, 4]);
  expect(map.size).toBe(3);
});
