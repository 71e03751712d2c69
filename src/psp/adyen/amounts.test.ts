import fc from "fast-check";
import { expect, test } from "vitest";
import { currency_rows } from "../../money/currency-table.ts";
import { exponentOf, toCurrencyCode, type Money } from "../../money/money.ts";
import { fromAdyenAmount, toAdyenAmount } from "./amounts.ts";

const codes = currency_rows.map((row) => toCurrencyCode(row.code));
const money = (amount_minor: bigint, code: string): Money => ({
  amount_minor,
  currency: toCurrencyCode(code),
});

test("whatever is sent comes back as the same amount, in every currency; what is not sent has a reason", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...codes),
      fc.oneof(fc.bigInt({ min: 1n, max: 20_000n }), fc.bigInt({ min: 1n, max: 2n ** 60n })),
      (currency, amount_minor) => {
        const sent = toAdyenAmount({ amount_minor, currency });
        if (!sent.ok) {
          expect(sent.reason).toMatch(/^Adyen (takes no|does not take) /);
          return;
        }
        expect(Number.isSafeInteger(sent.amount.value) && sent.amount.value > 0).toBe(true);
        expect(fromAdyenAmount(sent.amount)).toEqual({ amount_minor, currency });
      },
    ),
    { numRuns: 2_000 },
  );
});

// https://docs.adyen.com/development-resources/currency-codes
const zeroDecimals = "CVE DJF GNF IDR JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF".split(" ");
const threeDecimals = "BHD IQD JOD KWD LYD OMR TND".split(" ");

test("one whole unit of each currency has the decimals of Adyen's list", () => {
  const sent = codes.flatMap((code) => {
    const converted = toAdyenAmount(money(10n ** BigInt(exponentOf(code)), code));
    return converted.ok ? [[converted.amount.currency, converted.amount.value] as const] : [];
  });
  expect(sent.filter(([, value]) => value === 1).map(([code]) => code)).toEqual(zeroDecimals);
  expect(sent.filter(([, value]) => value === 1_000).map(([code]) => code)).toEqual(threeDecimals);
  expect(sent.filter(([, value]) => ![1, 100, 1_000].includes(value))).toEqual([]);
  expect(new Map(sent).get("ISK")).toBe(100);
  expect(new Map(sent).get("CLP")).toBe(100);
  expect(sent.length).toBeGreaterThan(120);
});

test.each([
  [2_550n, "CVE", /no fractions/],
  [2n ** 53n, "USD", /as large as this/],
  [2n ** 53n / 100n + 1n, "ISK", /as large as this/],
  [100n, "MGA", /does not take MGA/],
])("%s minor units of %s cannot be sent", (amount, code, reason) => {
  const sent = toAdyenAmount(money(amount, code));
  expect(sent.ok ? "sent" : sent.reason).toMatch(reason);
});

test.each([
  [550, "ISK"],
  [1, "CLP"],
  [0.5, "USD"],
  [2 ** 53, "USD"],
  [Number.NaN, "USD"],
  [100, "ZZZ"],
  [100, "usd"],
  [100, "MGA"],
])("%d of %s is no amount of ours", (value, currency) => {
  expect(fromAdyenAmount({ value, currency })).toBeUndefined();
});
