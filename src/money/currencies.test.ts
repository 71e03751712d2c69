import * as dineroCurrencies from "dinero.js/bigint/currencies";
import { expect, test } from "vitest";
import { currency_rows } from "./currency-table.ts";
import { currencyOf, exponentOf, isCurrencyCode, isPaymentCurrency, toCurrencyCode } from "./currencies.ts";

const someDay = new Date("2026-06-15T12:00:00Z");
const nonMoneyCodes = "XAG XAU XBA XBB XBC XBD XDR XPD XPT XSU XTS XUA XXX".split(" ");
const retiredCodes = "ANG BGN BYR CUC EEK HRK LTL LVL MRO SLL STD USS VEF ZMK ZWL".split(" ");

/**
 * Where dinero.js departs from ISO 4217, each reviewed; a new release that changes one of them fails the
 * test.
 */
const dineroExceptions = new Map([
  ["MGA", "counts fifths, as coins do; ISO 4217 gives two digits"],
  ["MRU", "counts fifths, as coins do; ISO 4217 gives two digits"],
]);

type DineroCurrency = { readonly base: bigint | readonly bigint[]; readonly exponent: bigint };

function exponentInDinero(currency: DineroCurrency): number | null {
  return currency.base === 10n ? Number(currency.exponent) : null;
}

test("every row has a three-letter code, a three-digit number, a name and real dates", () => {
  for (const row of currency_rows) {
    expect(row.code).toMatch(/^[A-Z]{3}$/);
    expect(row.numeric).toMatch(/^[0-9]{3}$/);
    expect(row.name).not.toBe("");
    for (const day of [row.valid_from, row.valid_until]) {
      if (day !== undefined) expect(new Date(day).toISOString().slice(0, 10)).toBe(day);
    }
  }
});

test("codes are unique and sorted, and numbers are unique among the codes in use", () => {
  const codes = currency_rows.map((row) => row.code);
  expect(codes).toEqual([...new Set(codes)].toSorted());
  const numbers = currency_rows.filter((row) => row.valid_until === undefined).map((row) => row.numeric);
  expect(new Set(numbers).size).toBe(numbers.length);
});

test("the digits after the point are ISO 4217's", () => {
  const inUse = currency_rows.filter((row) => row.valid_until === undefined);
  const codesWith = (exponent: number): string[] =>
    inUse.filter((row) => row.exponent === exponent).map((row) => row.code);
  expect(codesWith(0).join(" ")).toBe("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF");
  expect(codesWith(3).join(" ")).toBe("BHD IQD JOD KWD LYD OMR TND");
  expect(codesWith(4).join(" ")).toBe("CLF UYW");
  expect(codesWith(2)).toHaveLength(139);
});

test("the table agrees with dinero.js on codes, numbers and digits, but for the reviewed exceptions", () => {
  const theirs = new Map(Object.values(dineroCurrencies).map((currency) => [currency.code, currency]));
  const departing: string[] = [];
  for (const [code, currency] of theirs) {
    expect(isCurrencyCode(code), code).toBe(true);
    if (exponentInDinero(currency) !== exponentOf(toCurrencyCode(code))) departing.push(code);
  }
  expect(departing).toEqual([...dineroExceptions.keys()]);

  const missing = currency_rows.filter((row) => !theirs.has(row.code)).map((row) => row.code);
  expect(missing).toEqual(retiredCodes.filter((code) => code !== "BGN"));
});

test("a code is exactly the three upper-case letters", () => {
  expect(isCurrencyCode("USD")).toBe(true);
  for (const text of ["usd", " USD", "USD\n", "", "US", "USDT", "BTC", "ＵＳＤ", "840", "__proto__"]) {
    expect(isCurrencyCode(text), text).toBe(false);
    expect(() => toCurrencyCode(text)).toThrow("is not a currency code");
  }
});

test("codes without money behind them are neither currencies nor usable for a payment", () => {
  for (const code of nonMoneyCodes) {
    expect(isCurrencyCode(code), code).toBe(false);
    expect(isPaymentCurrency(code, someDay), code).toBe(false);
  }
});

test("retired codes stay readable and are refused for new payments; every other code is accepted", () => {
  const refused = currency_rows.filter((row) => !isPaymentCurrency(row.code, someDay)).map((row) => row.code);
  expect(refused).toEqual(retiredCodes);
  expect(exponentOf(toCurrencyCode("BYR"))).toBe(0);
  expect(currencyOf(toCurrencyCode("HRK"))).toEqual({
    code: "HRK",
    numeric: "191",
    exponent: 2,
    name: "Kuna",
    valid_until: "2022-12-31",
  });
});

test("a changeover happens at midnight UTC", () => {
  expect(isPaymentCurrency("BGN", new Date("2025-12-31T23:59:59.999Z"))).toBe(true);
  expect(isPaymentCurrency("BGN", new Date("2026-01-01T00:00:00Z"))).toBe(false);
  expect(isPaymentCurrency("XCG", new Date("2025-03-30T23:59:59.999Z"))).toBe(false);
  expect(isPaymentCurrency("XCG", new Date("2025-03-31T00:00:00Z"))).toBe(true);
});

test("a currency's number passes to its successor, so XCG and ANG share one", () => {
  expect(currencyOf(toCurrencyCode("XCG")).numeric).toBe(currencyOf(toCurrencyCode("ANG")).numeric);
});
