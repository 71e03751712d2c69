import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { replaceClock } from "./clock.ts";
import { idPrefixes, newId } from "./ids.ts";

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

test("ids sort as text in the order of their milliseconds", () => {
  const times = fc.integer({ min: 0, max: 2 ** 48 - 1 });
  fc.assert(
    fc.property(times, times, (one, other) => {
      fc.pre(one !== other);
      const idAt = (milliseconds: number): string => {
        const restore = replaceClock(() => milliseconds);
        try {
          return newId("req");
        } finally {
          restore();
        }
      };
      expect(idAt(one) < idAt(other)).toBe(one < other);
    }),
  );
});

test("ten thousand ids of one millisecond are all different", () => {
  atTime(Date.UTC(2026, 0, 1));
  expect(new Set(Array.from({ length: 10_000 }, () => newId("req")))).toHaveLength(10_000);
});
