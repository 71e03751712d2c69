import { expect, test } from "vitest";
import type { ApiKeyRow } from "./api-key-queries.ts";
import { hashApiKey } from "./auth.ts";
import { KeyLookup } from "./key-lookup.ts";

const rowOf = (name: string): ApiKeyRow => ({
  key_id: name,
  name,
  last_four: "",
  scopes: ["read"],
  revoked_at: null,
});
const free = (): void => undefined;

function lookupOf(...names: string[]): { lookup: KeyLookup; asked: string[] } {
  const byHash = new Map(names.map((name) => [hashApiKey(name).toString("hex"), rowOf(name)]));
  const asked: string[] = [];
  const lookup = new KeyLookup(async (hash) => {
    asked.push(hash.toString("hex"));
    await Promise.resolve();
    return byHash.get(hash.toString("hex"));
  });
  return { lookup, asked };
}

test("a key is asked for once, also by a hundred requests at the same time", async () => {
  const { lookup, asked } = lookupOf("a");
  const rows = await Promise.all(Array.from({ length: 100 }, () => lookup.find(hashApiKey("a"), free)));
  expect(new Set(rows.map((row) => row?.name))).toEqual(new Set(["a"]));
  expect((await lookup.find(hashApiKey("a"), free))?.name).toBe("a");
  expect(asked).toHaveLength(1);
});

test("a refused key is remembered too, and each use of it counts as a failure", async () => {
  const { lookup, asked } = lookupOf();
  let failures = 0;
  for (let call = 0; call < 3; call++)
    expect(await lookup.find(hashApiKey("x"), () => (failures += 1))).toBeUndefined();
  expect([asked.length, failures]).toEqual([1, 3]);
});

test("thirty thousand guesses leave a bounded memory and do not push out the key that is in use", async () => {
  const { lookup, asked } = lookupOf("used");
  await lookup.find(hashApiKey("used"), free);
  for (let guess = 0; guess < 30_000; guess++) await lookup.find(hashApiKey(`guess ${guess}`), free);
  expect(lookup.size).toBe(10_001);
  expect((await lookup.find(hashApiKey("used"), free))?.name).toBe("used");
  expect(asked).toHaveLength(30_001);
});

test("a question that failed is not remembered", async () => {
  let isUp = false;
  const lookup = new KeyLookup(() =>
    isUp ? Promise.resolve(rowOf("a")) : Promise.reject(new Error("down")),
  );
  await expect(lookup.find(hashApiKey("a"), free)).rejects.toThrow("down");
  isUp = true;
  expect((await lookup.find(hashApiKey("a"), free))?.name).toBe("a");
});
