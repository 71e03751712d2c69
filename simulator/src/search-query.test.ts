import { expect, test } from "vitest";
import { parseSearch } from "./search-query.ts";

test("metadata and status clauses joined by AND are understood", () => {
  expect(parseSearch(`metadata['a']:'1' AND metadata["b"]:"it's" AND status:'succeeded'`)).toEqual({
    metadata: { a: "1", b: "it's" },
    status: "succeeded",
  });
  expect(parseSearch(String.raw`metadata['a']:'it\'s'`)).toEqual({ metadata: { a: "it's" } });
});

test.each([
  "",
  "amount>5",
  "metadata['a']:'1' OR metadata['b']:'2'",
  "metadata['a']:'1' AND",
  "-metadata['a']:'1'",
])("%s is refused rather than half understood", (query) => {
  expect(() => parseSearch(query)).toThrow("parse");
});
