import type { CurrencyCode, Money } from "../../money/money.ts";

/**
 * Stripe's amounts where they differ from ISO 4217 (https://docs.stripe.com/currencies):
 * ISK and UGX are sent with two decimals that must be 00; MGA has none; three-decimal currencies end in 0.
 */
const factors = new Map<string, bigint>([["ISK", 100n], ["UGX", 100n]]);
const divisors = new Map<string, bigint>([["MGA", 100n]]);
const multiplesOfTen = new Set(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"]);
/** Stripe takes at most eight digits. */
const stripe_amount_max = 99_999_999n;

/** The integer Stripe expects, or why the amount cannot be sent exactly. */
export function toStripeAmount(money: Money): { ok: true; amount: number } | { ok: false; reason: string } {
  const divisor = divisors.get(money.currency) ?? 1n;
  if (money.amount_minor % divisor !== 0n) return { ok: false, reason: `Stripe takes no fractions of ${money.currency}.` };
  if (multiplesOfTen.has(money.currency) && money.amount_minor % 10n !== 0n) {
    return { ok: false, reason: `Stripe takes ${money.currency} in steps of 0.010.` };
  }
  const amount = (money.amount_minor / divisor) * (factors.get(money.currency) ?? 1n);
  if (amount > stripe_amount_max) return { ok: false, reason: "Stripe takes at most eight digits." };
  return { ok: true, amount: Number(amount) };
}

/** Reads an amount of Stripe's back; undefined when it is not a whole number of our minor units. */
export function fromStripeAmount(amount: number, currency: CurrencyCode): Money | undefined {
  if (!Number.isSafeInteger(amount)) return undefined;
  const factor = factors.get(currency) ?? 1n;
  const scaled = BigInt(amount) * (divisors.get(currency) ?? 1n);
  return scaled % factor === 0n ? { amount_minor: scaled / factor, currency } : undefined;
}
