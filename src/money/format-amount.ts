import type { Money } from "./amount.ts";
import { exponentOf } from "./currencies.ts";

/**
 * The exact decimal string of an amount, always with all of its currency's digits: "19.99" USD, "500" JPY,
 * "1.234" BHD. A negative amount (a balance, a reversal) gets a leading "-". This is the wire format, not a
 * localised one.
 */
export function formatAmount(money: Money): string {
  const exponent = exponentOf(money.currency);
  const sign = money.amount_minor < 0n ? "-" : "";
  const magnitude = money.amount_minor < 0n ? -money.amount_minor : money.amount_minor;
  if (exponent === 0) return sign + magnitude.toString();
  const digits = magnitude.toString().padStart(exponent + 1, "0");
  return `${sign}${digits.slice(0, -exponent)}.${digits.slice(-exponent)}`;
}
