import fc from "fast-check";
import { expect, test } from "vitest";
import { canonicalJson } from "./canonical-json.ts";
import { fingerprintOf } from "./idempotency.ts";

const read = (text: string): unknown => JSON.parse(text);

test("the example of RFC 8785, section 3.2.2", () => {
  const source = String.raw`{
    "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
    "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
    "literals": [null, true, false]
  }`;
  expect(canonicalJson(read(source))).toBe(
    String.raw`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`,
  );
});

test("member names sort by UTF-16 code units, as in RFC 8785, section 3.2.3", () => {
  const names = ["\u20ac", "\r", "\ufb33", "1", "\u{1f600}", "\u0080", "\u00f6"];
  const sorted = canonicalJson(Object.fromEntries(names.map((name) => [name, 0])));
  expect(Object.keys(read(sorted) as object).filter((name) => name !== "1")).toEqual([
    "\r",
    "\u0080",
    "\u00f6",
    "\u20ac",
    "\u{1f600}",
    "\ufb33",
  ]);
  expect(sorted).toBe(
    String.raw`{"\r":0,"1":0,"` + '\u0080":0,"\u00f6":0,"\u20ac":0,"\u{1f600}":0,"\ufb33":0}',
  );
});

// RFC 8785, appendix B: bits of an IEEE 754 double and how it is printed.
test.each([
  ["0000000000000000", "0"],
  ["8000000000000000", "0"],
  ["0000000000000001", "5e-324"],
  ["7fefffffffffffff", "1.7976931348623157e+308"],
  ["4340000000000000", "9007199254740992"],
  ["4430000000000000", "295147905179352830000"],
  ["44b52d02c7e14af6", "1e+23"],
  ["444b1ae4d6e2ef50", "1e+21"],
  ["444b1ae4d6e2ef4f", "999999999999999900000"],
  ["3eb0c6f7a0b5ed8d", "0.000001"],
  ["41b3de4355555555", "333333333.3333333"],
  ["becbf647612f3696", "-0.0000033333333333333333"],
])("the double %s is printed as %s", (bits, text) => {
  expect(canonicalJson(Buffer.from(bits, "hex").readDoubleBE())).toBe(text);
});

test("a number that JSON cannot hold is a bug, not null", () => {
  for (const value of [Infinity, -Infinity, NaN])
    expect(() => canonicalJson({ a: [value] })).toThrow("JSON cannot hold");
});

test("arrays keep their order, objects inside them are sorted, members without a value are left out", () => {
  expect(canonicalJson([{ b: 1, a: [3, { d: undefined, c: null }] }, 2])).toBe(
    '[{"a":[3,{"c":null}],"b":1},2]',
  );
});

test("any JSON value is printed as the same value, the same however its members are ordered", () => {
  const reversed = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(reversed);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value)
        .toReversed()
        .map(([name, member]) => [name, reversed(member)]),
    );
  };
  // JSON knows no -0, and a member named __proto__ is no member of an object literal.
  const json = fc.jsonValue().map((value) => read(JSON.stringify(value).replaceAll("__proto__", "proto")));
  fc.assert(
    fc.property(json, (value) => {
      const text = canonicalJson(value);
      expect(read(text)).toEqual(value);
      expect(canonicalJson(reversed(value))).toBe(text);
    }),
  );
});

test("a fingerprint is the same for the same request and another for another method, path or body", () => {
  const first = fingerprintOf("POST", "/api/v1/payments", { a: 1, b: "2" });
  expect(first).toHaveLength(32);
  expect(fingerprintOf("POST", "/api/v1/payments", { b: "2", a: 1 })).toEqual(first);
  expect(fingerprintOf("POST", "/x", undefined)).toEqual(fingerprintOf("POST", "/x", null));
  const others = [
    fingerprintOf("PUT", "/api/v1/payments", { a: 1, b: "2" }),
    fingerprintOf("POST", "/api/v1/payment", { a: 1, b: "2" }),
    fingerprintOf("POST", "/api/v1/payments", { a: 1, b: 2 }),
    fingerprintOf("POST", "/api/v1/payments", { a: 1 }),
  ];
  for (const other of others) expect(other).not.toEqual(first);
});
