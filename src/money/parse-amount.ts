import { amount_minor_max, type Money } from "./amount.ts";
import { exponentOf, type CurrencyCode } from "./currencies.ts";

/** Why a text is not an amount that can be paid. */
export type AmountRefusal = "not_a_decimal" | "too_many_digits" | "not_positive" | "out_of_range";

export type ParsedAmount =
  | { readonly ok: true; readonly money: Money }
  | { readonly ok: false; readonly reason: AmountRefusal };

/**
 * Sign, whole digits without leading zeros, fraction. A text can match in one way only: the time is linear.
 */
const decimal_pattern = /^(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?$/;

/** No amount in range has more digits before the point, so a longer one is never converted. */
const whole_digits_max = amount_minor_max.toString().length;

/**
 * Reads a payment's amount from a decimal string in the currency's own precision: ASCII digits, optionally a
 * point and more digits ("19.99", "19.9", "500"). Nothing is trimmed, rounded or guessed. Never throws;
 * linear in the length.
 *
 * Reasons, the first that applies:
 * - `not_a_decimal`: spaces, "+", exponents, separators, ".5", "5.", "007", other scripts' digits, an empty
 * text;
 * - `too_many_digits`: more digits after the point than the currency has, even if they are zeros ("10.000"
 * USD);
 * - `not_positive`: zero, or a well-formed number with a leading "-";
 * - `out_of_range`: more than `amount_minor_max` minor units.
 */
export function parseAmount(text: string, currency: CurrencyCode): ParsedAmount {
  const match = decimal_pattern.exec(text);
  if (match === null) return refused("not_a_decimal");
  const [, sign = "", whole = "", fraction = ""] = match;
  const exponent = exponentOf(currency);
  if (fraction.length > exponent) return refused("too_many_digits");
  if (sign === "-") return refused("not_positive");
  if (whole.length > whole_digits_max) return refused("out_of_range");

  const amountMinor = BigInt(whole + fraction.padEnd(exponent, "0"));
  if (amountMinor === 0n) return refused("not_positive");
  if (amountMinor > amount_minor_max) return refused("out_of_range");
  return { ok: true, money: { amount_minor: amountMinor, currency } };
}

function refused(reason: AmountRefusal): ParsedAmount {
  return { ok: false, reason };
}
