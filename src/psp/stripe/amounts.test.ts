import fc from "fast-check";
import { expect, test } from "vitest";
import { currency_rows } from "../../money/currency-table.ts";
import { exponentOf, toCurrencyCode, type Money } from "../../money/money.ts";
import { fromStripeAmount, toStripeAmount } from "./amounts.ts";

const codes = currency_rows.map((row) => toCurrencyCode(row.code));
const money = (amount_minor: bigint, code: string): Money => ({
  amount_minor,
  currency: toCurrencyCode(code),
});

test("whatever is sent comes back as the same amount, in every currency; what is not sent has a reason", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...codes),
      fc.oneof(fc.bigInt({ min: 1n, max: 20_000n }), fc.bigInt({ min: 1n, max: 10n ** 15n - 1n })),
      (currency, amount_minor) => {
        const sent = toStripeAmount({ amount_minor, currency });
        if (!sent.ok) {
          expect(sent.reason).toMatch(/^Stripe (takes|does not charge in) /);
          return;
        }
        expect(Number.isSafeInteger(sent.amount) && sent.amount > 0).toBe(true);
        expect(fromStripeAmount(sent.amount, currency)).toEqual({ amount_minor, currency });
      },
    ),
    { numRuns: 2_000 },
  );
});

test("an amount of Stripe's is read exactly or not at all", () => {
  fc.assert(
    fc.property(fc.constantFrom(...codes), fc.integer({ min: 1, max: 99_999_999 }), (currency, amount) => {
      const read = fromStripeAmount(amount, currency);
      if (read === undefined) return;
      const sent = toStripeAmount(read);
      if (sent.ok) expect(sent.amount).toBe(amount);
    }),
    { numRuns: 2_000 },
  );
  for (const amount of [0.5, Number.NaN, 2 ** 53, Number.POSITIVE_INFINITY])
    expect(fromStripeAmount(amount, toCurrencyCode("USD"))).toBeUndefined();
});

// https://docs.stripe.com/currencies, "Zero-decimal currencies", "Special cases", "Three-decimal currencies".
const zeroDecimals = "BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split(" ");
const threeDecimals = "BHD JOD KWD OMR TND".split(" ");
const twoDecimals =
  "USD EUR GBP AED AUD BRL CAD CHF CNY HKD HUF INR MXN NOK PLN SEK SGD TWD ZAR ISK UGX".split(" ");

test.each([
  ...zeroDecimals.map((code) => [code, 1] as const),
  ...twoDecimals.map((code) => [code, 100] as const),
  ...threeDecimals.map((code) => [code, 1_000] as const),
])("one whole unit of %s is %i at Stripe", (code, amount) => {
  expect(toStripeAmount(money(10n ** BigInt(exponentOf(toCurrencyCode(code))), code))).toEqual({
    ok: true,
    amount,
  });
});

test.each([
  [1_999n, "USD", 1_999],
  [29n, "USD", 29],
  [500n, "JPY", 500],
  [5n, "ISK", 500],
  [7n, "UGX", 700],
  [1_230n, "BHD", 1_230],
  [200n, "MGA", 2],
  [99_999_999n, "USD", 99_999_999],
])("%s minor units of %s are sent as %i", (amount, code, expected) => {
  expect(toStripeAmount(money(amount, code))).toEqual({ ok: true, amount: expected });
});

test.each([
  [1_234n, "BHD", /steps of 0.010/],
  [150n, "MGA", /no fractions/],
  [100_000_000n, "USD", /eight digits/],
  [1_000_000n, "ISK", /eight digits/],
])("%s minor units of %s cannot be sent", (amount, code, reason) => {
  const sent = toStripeAmount(money(amount, code));
  expect(sent.ok ? "sent" : sent.reason).toMatch(reason);
});

test.each([
  [550, "ISK"],
  [1, "UGX"],
])("%i of %s, which would be a part of our smallest unit, is no amount of ours", (amount, code) => {
  expect(fromStripeAmount(amount, toCurrencyCode(code))).toBeUndefined();
});
