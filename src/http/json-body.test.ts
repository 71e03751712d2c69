import fc from "fast-check";
import { expect, test } from "vitest";
import { cpuMilliseconds } from "../../test/support/cpu-time.ts";
import { AppError } from "../errors.ts";
import { isExactNumber, readJson } from "./json-body.ts";

/** Code and field of the refusal, or the value as JSON prints it. */
function verdictOf(text: string): string {
  try {
    return JSON.stringify(readJson(text));
  } catch (error) {
    if (error instanceof AppError) return `${error.code} ${error.param ?? ""}`;
    throw error;
  }
}

test.each([
  ["{}", "{}"],
  ["[]", "[]"],
  [' { "a" : 1 , "b" : [ true , null ] } ', '{"a":1,"b":[true,null]}'],
  ['"a:b"', '"a:b"'],
  [String.raw`{"a\":":"{\\","b":"\\\\"}`, String.raw`{"a\":":"{\\","b":"\\\\"}`],
  ['{"a":{"a":1},"b":[{"a":1},{"a":2}]}', '{"a":{"a":1},"b":[{"a":1},{"a":2}]}'],
  ['{"a":"1:2","b":"-3"}', '{"a":"1:2","b":"-3"}'],
  ['{"a":1.50,"b":15e-1,"c":1E2,"d":0.1,"e":-7}', '{"a":1.5,"b":1.5,"c":100,"d":0.1,"e":-7}'],
])("%s is read", (text, value) => {
  expect(verdictOf(text)).toBe(value);
});

test.each([
  ['{"a":1,"a":2}', "a"],
  ['{"a":1,"b":{"c":[{"d":1},{"d":1,"d":1}]}}', "b[c][1][d]"],
  [String.raw`{"a":1,"\u0061":1}`, "a"],
  ['{"a":1,"b":"a\\"","c":{"x":1,"y":{"x":1}},"b":1}', "b"],
  ['[{"a":1},{"a":1,"a":1}]', "1[a]"],
  ['{"":1,"":1}', ""],
])("a name that stands twice is refused with its place: %s", (text, param) => {
  expect(verdictOf(text)).toBe(`invalid_json ${param}`);
});

test.each([
  "1e400",
  "-1e400",
  "9007199254740993",
  "12345678901234567890",
  "0.1234567890123456789",
  "333333333.33333329",
  "-0",
  "-0.0",
  "0e5e".slice(0, 0) + "1e-400",
  "123456789012345678901234567890",
  "1.00000000000000000001",
])("the number %s cannot be kept exactly and is refused with its place", (number) => {
  expect(verdictOf(`{"a":[1,{"b":${number}}],"c":2}`)).toBe("invalid_json a[1][b]");
  expect(verdictOf(number)).toBe("invalid_json body");
});

test("every number that JavaScript prints, and every safe integer, is exact however its zeros are written", () => {
  fc.assert(
    fc.property(
      fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => !Object.is(value, -0)),
      (value) => {
        expect(isExactNumber(String(value))).toBe(true);
        expect(isExactNumber(value.toExponential())).toBe(true);
      },
    ),
  );
  fc.assert(
    fc.property(
      fc.maxSafeInteger().filter((value) => !Object.is(value, -0)),
      fc.nat(5),
      (value, zeros) => {
        expect(isExactNumber(`${value}.${"0".repeat(zeros + 1)}`)).toBe(true);
        expect(isExactNumber(`${value}e0`)).toBe(true);
      },
    ),
  );
});

test("an integer beyond 2^53 passes only where JavaScript gives back the same digits", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 2n ** 53n, max: 2n ** 80n }), (value) => {
      expect(isExactNumber(String(value))).toBe(
        BigInt(Number(value)) === value && String(Number(value)).replace(/e\+\d+$/, "") !== ""
          ? BigInt(decimalDigits(String(Number(value)))) === value
          : false,
      );
    }),
  );
});

/** 1.5e+22 written out. */
function decimalDigits(text: string): string {
  const [, whole = "", fraction = "", exponent = "0"] = /^(\d+)(?:\.(\d+))?(?:e\+(\d+))?$/.exec(text) ?? [];
  return whole + fraction.padEnd(Number(exponent), "0");
}

test("what is read is what was written: any JSON value without -0 comes through as it is", () => {
  // 4 % of random numbers of 16 digits pass for a card number, and some characters are refused: those values
  // are left out.
  fc.assert(
    fc.property(fc.jsonValue({ depthSize: "medium" }), (value) => {
      const text = JSON.stringify(value);
      const verdict = verdictOf(text);
      if (/^(invalid_request|card_number_refused) /.test(verdict)) return;
      expect(verdict).toBe(text);
    }),
    { numRuns: 2_000 },
  );
});

test("a number with a thousand zeros or digits in its exponent is kept or refused like any other", () => {
  const zeros = "0".repeat(1_000);
  const nines = "9".repeat(1_000);
  for (const kept of [`1${zeros}e-1000`, `1.5${zeros}`, `0.${zeros}1e1001`, `0e${nines}`, `1e+${zeros}5`]) {
    expect(verdictOf(`{"a":${kept}}`), kept).toBe(JSON.stringify({ a: Number(kept) }));
  }
  for (const refused of [`1.${zeros}1`, `1e-${nines}`, `-1e-${nines}`, `1e${nines}`]) {
    expect(verdictOf(`{"a":${refused}}`), refused).toBe("invalid_json a");
  }
});

test("two texts that are read as the same value differ in white space, the spelling of numbers and escapes only", () => {
  const bodies = [
    '{"a":1}',
    '{"a":1,"a":1}',
    '{"a":1e400}',
    '{"a":null}',
    '{"a":9007199254740992}',
    '{"a":9007199254740993}',
    '{"a":-0}',
    '{"a":0}',
  ];
  const read = bodies.map(verdictOf).filter((verdict) => verdict.startsWith("{"));
  expect(read).toEqual(['{"a":1}', '{"a":null}', '{"a":9007199254740992}', '{"a":0}']);
});

test.each(["__proto__", "constructor", "prototype"])(
  "the name %s is refused with its place, also when it is escaped",
  (name) => {
    expect(verdictOf(`{"a":{"${name}":{"is_admin":true}}}`)).toBe(`invalid_request a[${name}]`);
    expect(verdictOf(`{"a":{"\\u00${name.charCodeAt(0).toString(16)}${name.slice(1)}":1}}`)).toBe(
      `invalid_request a[${name}]`,
    );
    expect(({} as Record<string, unknown>)["is_admin"]).toBeUndefined();
  },
);

test.each([
  "",
  "{",
  '{"a":}',
  "{not json",
  "\ufeff{}",
  "nul",
  '{"a":1}}',
  "[1,]",
  "01",
  "'a'",
  '{"a":"4242424242424242',
])("%j is no JSON, and the refusal repeats nothing of it", (text) => {
  expect(verdictOf(text)).toBe("invalid_json body");
  expect(() => readJson(text)).toThrow(/^The body is (empty|not valid JSON( at position \d+)?)\.$/);
});

test("a megabyte of backslashes, of nested names, or of one number is read or refused in time that grows with its length", () => {
  const zeros = "0".repeat(500_000);
  const numbers = [`[0.1${zeros}1]`, `[1e-${"9".repeat(1_000_000)}]`, `[0.${zeros}1e5]`];
  const texts = [
    ...numbers,
    `"${"\\\\".repeat(500_000)}"`,
    `{${Array.from({ length: 9_000 }, (_, n) => `"${n}":"${"\\\\".repeat(50)}"`).join()}}`,
    "1".repeat(1_000_000),
    `[${"1e400,".repeat(9_000)}1]`,
  ];
  for (const text of texts) {
    // Each takes less than 40 ms; an exponent of a megabyte as a BigInt takes 250.
    expect(cpuMilliseconds(150, () => verdictOf(text))).toBeLessThan(150);
  }
});
