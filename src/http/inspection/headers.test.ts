import { expect, test } from "vitest";
import { verdictOf } from "../../../test/support/refusals.ts";
import { inspectHeaders } from "./headers.ts";

test("headers that a client fills are looked through, those of machines are not", () => {
  const verdict = (headers: Record<string, string>): string => verdictOf(() => inspectHeaders(headers));
  expect(verdict({ "idempotency-key": "4242 4242 4242 4242" })).toBe("card_number_refused Idempotency-Key");
  expect(verdict({ "x-card": Buffer.from("４２４２４２４２４２４２４２４２").toString("latin1") })).toBe(
    "card_number_refused x-card",
  );
  expect(verdict({ "x-cvv": "123", cvv: "123" })).toBe("card_number_refused cvv");
  expect(verdict({ "x-4242424242424242": "1" })).toBe("card_number_refused x-4242424242424242");
  expect(
    verdict({
      "x-forwarded-for": "42.42.42.42, 42.42.42.42",
      "user-agent": "x/4242.4242.4242.4242",
      traceparent: "00-42424242424242424242424242424242-4242424242424242-01",
    }),
  ).toBe("taken");
});
