import { strict as assert } from "node:assert";
import { currency_rows, type CurrencyRow } from "./currency-table.ts";

declare const currency_code_brand: unique symbol;

/**
 * An ISO 4217 code that is in our table, in use or retired. Made by `isCurrencyCode` and `toCurrencyCode`.
 */
export type CurrencyCode = string & { readonly [currency_code_brand]: true };

/** What the table knows of a currency; see `CurrencyRow`. */
export type Currency = Omit<CurrencyRow, "code"> & { readonly code: CurrencyCode };

const rows_by_code: ReadonlyMap<string, CurrencyRow> = new Map(currency_rows.map((row) => [row.code, row]));

/** Whether a text is exactly a code of the table (upper case). A retired code is one; XXX or XAU is not. */
export function isCurrencyCode(text: string): text is CurrencyCode {
  return rows_by_code.has(text);
}

/**
 * A text known to be a code (read from our database, written in the source) as one; else an AssertionError.
 */
export function toCurrencyCode(text: string): CurrencyCode {
  assert.ok(isCurrencyCode(text), `${text} is not a currency code`);
  return text;
}

/**
 * Whether a new payment may use this code on the day of `date` in UTC: false for unknown and non-money codes,
 * and for codes that are retired or not introduced yet on that day. Throws a RangeError for an invalid date.
 */
export function isPaymentCurrency(text: string, date: Date): boolean {
  const row = rows_by_code.get(text);
  if (row === undefined) return false;
  if (row.valid_from === undefined && row.valid_until === undefined && !Number.isNaN(date.getTime()))
    return true;
  const day = date.toISOString().slice(0, 10);
  if (row.valid_from !== undefined && day < row.valid_from) return false;
  return row.valid_until === undefined || day <= row.valid_until;
}

/** The currency's row, retired ones included. */
export function currencyOf(code: CurrencyCode): Currency {
  return { ...rowOf(code), code };
}

/** Digits after the decimal point: 2 for USD, 0 for JPY, 3 for BHD, 4 for CLF. */
export function exponentOf(code: CurrencyCode): number {
  return rowOf(code).exponent;
}

function rowOf(code: CurrencyCode): CurrencyRow {
  const row = rows_by_code.get(code);
  assert.ok(row !== undefined, "a currency code is in the table");
  return row;
}
