import { isCurrencyCode, type Money } from "../../money/money.ts";

/**
 * The currencies whose decimals Adyen documents
 * (https://docs.adyen.com/development-resources/currency-codes).
 */
const listed = new Set(
  (
    "AED ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BMD BND BOB BRL BSD BWP BYN BZD CAD CHF CLP CNY " +
    "COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL " +
    "HTG HUF IDR ILS INR IQD ISK JMD JOD JPY KES KGS KHR KMF KRW KWD KYD KZT LAK LKR LYD MAD MDL MKD " +
    "MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG " +
    "QAR RON RSD RUB RWF SAR SBD SCR SEK SGD SHP SLE SOS SRD STN SVC SZL THB TND TOP TRY TTD TWD TZS " +
    "UAH UGX USD UYU UZS VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW"
  ).split(" "),
);
/** Where they differ from ISO 4217: Adyen's minor units for one of ours, and ours for one of Adyen's. */
const factors = new Map<string, bigint>([
  ["CLP", 100n],
  ["ISK", 100n],
]);
const divisors = new Map<string, bigint>([
  ["CVE", 100n],
  ["IDR", 100n],
]);

export type AdyenAmount = { readonly value: number; readonly currency: string };

/** What Adyen expects, or why the amount cannot be sent exactly. */
export function toAdyenAmount({
  amount_minor,
  currency,
}: Money): { ok: true; amount: AdyenAmount } | { ok: false; reason: string } {
  if (!listed.has(currency)) return { ok: false, reason: `Adyen does not take ${currency}.` };
  const divisor = divisors.get(currency) ?? 1n;
  if (amount_minor % divisor !== 0n) return { ok: false, reason: `Adyen takes no fractions of ${currency}.` };
  const value = (amount_minor / divisor) * (factors.get(currency) ?? 1n);
  if (value > BigInt(Number.MAX_SAFE_INTEGER))
    return { ok: false, reason: "Adyen takes no amount as large as this." };
  return { ok: true, amount: { value: Number(value), currency } };
}

/** Reads an amount from Adyen; undefined if it is not a whole number of our minor units. */
export function fromAdyenAmount({ value, currency }: AdyenAmount): Money | undefined {
  if (!Number.isSafeInteger(value) || !isCurrencyCode(currency) || !listed.has(currency)) return undefined;
  const factor = factors.get(currency) ?? 1n;
  const scaled = BigInt(value) * (divisors.get(currency) ?? 1n);
  return scaled % factor === 0n ? { amount_minor: scaled / factor, currency } : undefined;
}
