import { dinero, toDecimal } from "dinero.js/bigint";
import * as dineroCurrencies from "dinero.js/bigint/currencies";
import fc from "fast-check";
import { expect, test } from "vitest";
import { currency_rows } from "./currency-table.ts";
import { exponentOf, toCurrencyCode } from "./currencies.ts";
import { formatAmount } from "./format-amount.ts";

const format = (amountMinor: bigint, code: string): string =>
  formatAmount({ amount_minor: amountMinor, currency: toCurrencyCode(code) });

test.each([
  [1999n, "USD", "19.99"],
  [1990n, "USD", "19.90"],
  [5n, "USD", "0.05"],
  [0n, "USD", "0.00"],
  [500n, "JPY", "500"],
  [0n, "JPY", "0"],
  [1234n, "BHD", "1.234"],
  [1n, "CLF", "0.0001"],
  [100_000_000_000_000_000_001n, "USD", "1000000000000000000.01"],
])("%s minor units of %s are written %s", (amountMinor, code, text) => {
  expect(format(amountMinor, code)).toBe(text);
});

test("a negative balance keeps its sign, also below one unit and without decimals", () => {
  expect(format(-500n, "USD")).toBe("-5.00");
  expect(format(-5n, "USD")).toBe("-0.05");
  expect(format(-500n, "JPY")).toBe("-500");
});

test("a text always has its currency's digits and stands for exactly the amount", () => {
  const codes = fc.constantFrom(...currency_rows.map((row) => toCurrencyCode(row.code)));
  fc.assert(
    fc.property(fc.bigInt(), codes, (amountMinor, currency) => {
      const text = formatAmount({ amount_minor: amountMinor, currency });
      const fraction = text.split(".")[1] ?? "";
      expect(fraction).toHaveLength(exponentOf(currency));
      expect(BigInt(text.replace(".", ""))).toBe(amountMinor);
    }),
  );
});

test("dinero.js writes the same text", () => {
  // MGA and MRU count fifths there; see the table's reviewed exceptions.
  const decimal = Object.values(dineroCurrencies).filter((currency) => currency.base === 10n);
  fc.assert(
    fc.property(
      fc.bigInt({ min: -(10n ** 18n), max: 10n ** 18n }),
      fc.constantFrom(...decimal),
      (amount, currency) => {
        expect(format(amount, currency.code)).toBe(toDecimal(dinero({ amount, currency })));
      },
    ),
    { numRuns: 1000 },
  );
});
