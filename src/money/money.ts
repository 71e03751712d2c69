/**
 * The door of the money room: exact amounts in ISO 4217 currencies. Pure: no I/O and no clock.
 * Other rooms import from this file only.
 */
export { addMoney, amount_minor_max, compareMoney, subtractMoney } from "./amount.ts";
export type { Money } from "./amount.ts";
export { allocate, shareInBasisPoints } from "./allocate.ts";
export { currencyOf, exponentOf, isCurrencyCode, isPaymentCurrency, toCurrencyCode } from "./currencies.ts";
export type { Currency, CurrencyCode } from "./currencies.ts";
export { formatAmount } from "./format-amount.ts";
export { parseAmount } from "./parse-amount.ts";
export type { AmountRefusal, ParsedAmount } from "./parse-amount.ts";
