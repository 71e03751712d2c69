import type { CurrencyCode, Money } from "../../money/money.ts";

/**
 * Stripe's amounts where they differ from ISO 4217 (https://docs.stripe.com/currencies):
 * ISK and UGX are sent with two decimals that must be 00; MGA has none; three-decimal currencies end in 0.
 */
const factors = new Map<string, bigint>([
  ["ISK", 100n],
  ["UGX", 100n],
]);
const divisors = new Map<string, bigint>([["MGA", 100n]]);
const multiplesOfTen = new Set(["BHD", "JOD", "KWD", "OMR", "TND"]);
/** The currencies Stripe charges in (https://docs.stripe.com/currencies). */
const charged = new Set(
  (
    "USD AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BWP BYN " +
    "BZD CAD CDF CHF CLP CNY COP CRC CVE CZK DJF DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GIP GMD GNF " +
    "GTQ GYD HKD HNL HTG HUF IDR ILS INR ISK JMD JOD JPY KES KGS KHR KMF KRW KWD KYD KZT LAK LBP LKR " +
    "LRD LSL MAD MDL MGA MKD MMK MNT MOP MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN " +
    "PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SEK SGD SHP SLE SOS SRD STD SZL THB TJS TND " +
    "TOP TRY TTD TWD TZS UAH UGX UYU UZS VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW"
  ).split(" "),
);
/** Stripe takes at most eight digits. */
const stripe_amount_max = 99_999_999n;

/** The integer Stripe expects, or why the amount cannot be sent exactly. */
export function toStripeAmount(money: Money): { ok: true; amount: number } | { ok: false; reason: string } {
  if (!charged.has(money.currency))
    return { ok: false, reason: `Stripe does not charge in ${money.currency}.` };
  const divisor = divisors.get(money.currency) ?? 1n;
  if (money.amount_minor % divisor !== 0n)
    return { ok: false, reason: `Stripe takes no fractions of ${money.currency}.` };
  if (multiplesOfTen.has(money.currency) && money.amount_minor % 10n !== 0n) {
    return { ok: false, reason: `Stripe takes ${money.currency} in steps of 0.010.` };
  }
  const amount = (money.amount_minor / divisor) * (factors.get(money.currency) ?? 1n);
  if (amount > stripe_amount_max) return { ok: false, reason: "Stripe takes at most eight digits." };
  return { ok: true, amount: Number(amount) };
}

/** Reads an amount from Stripe; undefined if it is not a whole number of our minor units. */
export function fromStripeAmount(amount: number, currency: CurrencyCode): Money | undefined {
  if (!Number.isSafeInteger(amount)) return undefined;
  const factor = factors.get(currency) ?? 1n;
  const scaled = BigInt(amount) * (divisors.get(currency) ?? 1n);
  return scaled % factor === 0n ? { amount_minor: scaled / factor, currency } : undefined;
}
