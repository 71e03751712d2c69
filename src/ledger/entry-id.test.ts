import fc from "fast-check";
import { expect, test } from "vitest";
import { entryIdOf, entryKeyOf } from "./entry-id.ts";

const keys = fc.record({
  account_id: fc.bigInt({ min: 1n, max: 2n ** 60n - 1n }),
  account_version: fc.bigInt({ min: 1n, max: 2n ** 62n - 1n }),
});

test("every key becomes a UUID of version 8 and comes back from it, in either case", () => {
  fc.assert(
    fc.property(keys, (key) => {
      const id = entryIdOf(key);
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      expect(entryKeyOf(id)).toEqual(key);
      expect(entryKeyOf(id.toUpperCase())).toEqual(key);
    }),
  );
});

test("different entries have different ids", () => {
  fc.assert(
    fc.property(keys, keys, (one, other) => {
      const isSame = one.account_id === other.account_id && one.account_version === other.account_version;
      expect(entryIdOf(one) === entryIdOf(other)).toBe(isSame);
    }),
  );
});

test.each([
  "",
  "1",
  "00000000-0000-4000-8000-000000000001",
  "00000000-0000-8000-c000-000000000001",
  "00000000000080008000000000000001",
  "00000000-0000-8001-8000-00000000000g",
  " 00000000-0000-8001-8000-000000000001",
  "00000000-0000-8001-8000-0000000000011",
])("%j is no entry id", (text) => {
  expect(entryKeyOf(text)).toBeUndefined();
});
