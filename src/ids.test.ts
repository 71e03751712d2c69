import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { replaceClock } from "./clock.ts";
import { idPrefixes, newId, shard, shardOf } from "./ids.ts";

const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";
const atTime = (milliseconds: number): void => onTestFinished(replaceClock(() => milliseconds));

/** The 128 bits of an id's suffix, read back from base 32. */
const bitsOf = (id: string): bigint =>
  [...id.slice(id.indexOf("_") + 1)].reduce(
    (bits, character) => (bits << 5n) | BigInt(alphabet.indexOf(character)),
    0n,
  );

test.each(idPrefixes)("an id of kind %s is its prefix and 26 characters of base 32", (prefix) => {
  expect(newId(prefix)).toMatch(new RegExp(`^${prefix}_[0-7][${alphabet}]{25}$`));
});

test("no prefix is another one or the beginning of one, so that an id tells its kind", () => {
  for (const [index, prefix] of idPrefixes.entries()) {
    const others = idPrefixes.filter((_, other) => other !== index);
    expect(others.filter((other) => other.startsWith(prefix))).toEqual([]);
    expect(prefix).toMatch(/^[a-z]+$/);
  }
});

test("the suffix is a UUIDv7 of the current time", () => {
  const milliseconds = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
  atTime(milliseconds);
  const bits = bitsOf(newId("att"));
  expect(bits >> 80n).toBe(BigInt(milliseconds));
  expect((bits >> 76n) & 0xfn).toBe(7n);
  expect((bits >> 62n) & 0b11n).toBe(0b10n);
});

const times = fc.integer({ min: 0, max: 2 ** 48 - 1 });
const shards = fc.integer({ min: 0, max: 2 ** 12 - 1 });

test("the 12 bits behind the version are the shard, which is 0 today", () => {
  expect((bitsOf(newId("att")) >> 64n) & 0xfffn).toBe(0n);
  expect((bitsOf(newId("att", 0xabc)) >> 64n) & 0xffffn).toBe(0x7abcn);
});

test("an id of any kind and time tells the shard that made it", () => {
  expect(shardOf(newId("att"))).toBe(shard);
  fc.assert(
    fc.property(fc.constantFrom(...idPrefixes), times, shards, (prefix, milliseconds, ofShard) => {
      const restore = replaceClock(() => milliseconds);
      try {
        expect(shardOf(newId(prefix, ofShard))).toBe(ofShard);
      } finally {
        restore();
      }
    }),
  );
});

test.each([
  ["no prefix", newId("att").slice("att_".length)],
  ["a prefix of somebody else's", newId("att").replace("att_", "pi_")],
  ["a character too few", newId("att").slice(0, -1)],
  ["a character too many", `${newId("att")}0`],
  ["a character outside the alphabet", newId("att").replace(/.$/, "u")],
  ["more than 128 bits", newId("att").replace("att_0", "att_8")],
  ["a line break at its end", `${newId("att")}\n`],
])("a text with %s tells no shard", (_, text) => {
  expect(shardOf(text)).toBeUndefined();
});

test("ids sort as text in the order of their milliseconds, whatever their shards", () => {
  fc.assert(
    fc.property(times, times, shards, shards, (one, other, oneShard, otherShard) => {
      fc.pre(one !== other);
      const idAt = (milliseconds: number, ofShard: number): string => {
        const restore = replaceClock(() => milliseconds);
        try {
          return newId("req", ofShard);
        } finally {
          restore();
        }
      };
      expect(idAt(one, oneShard) < idAt(other, otherShard)).toBe(one < other);
    }),
  );
});

test("ten thousand ids of one millisecond are all different", () => {
  atTime(Date.UTC(2026, 0, 1));
  expect(new Set(Array.from({ length: 10_000 }, () => newId("req")))).toHaveLength(10_000);
});
