import { expect, test } from "vitest";
import { decodeForm, type FormMap } from "./form.ts";

function plain(map: FormMap): unknown {
  return Object.fromEntries(
    [...map].map(([key, value]) => [key, typeof value === "string" ? value : plain(value)]),
  );
}

test("nested keys, lists and escapes are decoded the way Stripe's clients write them", () => {
  const text = "a=1&b[c][d]=x%20y+z&list[0]=p&list[1]=q&open[]=r&open[]=s&metadata[k%5B]=%26&empty=&flag";
  expect(plain(decodeForm(text).values)).toEqual({
    a: "1",
    b: { c: { d: "x y z" } },
    list: { 0: "p", 1: "q" },
    open: { 0: "r", 1: "s" },
    metadata: { "k[": "&" },
    empty: "",
    flag: "",
  });
});

test("encoded brackets are brackets, and odd text is kept instead of refused", () => {
  expect(plain(decodeForm("metadata%5Border%5D=7&bad=%E0%A4%A").values)).toEqual({
    metadata: { order: "7" },
    bad: "%E0%A4%A",
  });
});

test("names that mean something to JavaScript objects are only names", () => {
  const { values } = decodeForm("__proto__[polluted]=1&constructor=2");
  expect([...values.keys()]).toEqual(["__proto__", "constructor"]);
  expect(Object.keys(Object.prototype)).toEqual([]);
});

test("the canonical text ignores the order of the parameters and nothing else", () => {
  expect(decodeForm("a=1&b=2").canonical).toBe(decodeForm("b=2&a=1").canonical);
  expect(decodeForm("a=1&b=2").canonical).not.toBe(decodeForm("a=1&b=3").canonical);
  expect(decodeForm("a=1%0Ab%3D2").canonical).not.toBe(decodeForm("a=1&b=2").canonical);
});
