import type { FieldError } from "../errors.ts";
import { parseAmount, type AmountRefusal, type CurrencyCode, type Money } from "../money/money.ts";

/** Reads an amount of a request, or says what is wrong with it. */
export function readAmount(
  amount: string,
  currency: CurrencyCode,
  param: string,
): { readonly money: Money } | { readonly error: FieldError } {
  const parsed = parseAmount(amount, currency);
  return parsed.ok
    ? { money: parsed.money }
    : { error: { param, code: "invalid_amount", message: messages[parsed.reason] } };
}

const messages: Readonly<Record<AmountRefusal, string>> = {
  not_a_decimal: 'is not a plain decimal such as "29.99".',
  too_many_digits: "has more decimals than its currency.",
  not_positive: "must be more than zero.",
  out_of_range: "is too large.",
};
