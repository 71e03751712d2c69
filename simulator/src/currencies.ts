/** The currencies Stripe charges in, lower case as on its wire. */
const CURRENCIES: ReadonlySet<string> = new Set(
  (
    "usd aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd bwp byn bzd " +
    "cad cdf chf clp cny cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gnf gtq gyd " +
    "hkd hnl hrk htg huf idr ils inr isk jmd jod jpy kes kgs khr kmf krw kwd kyd kzt lak lbp lkr lrd lsl " +
    "mad mdl mga mkd mmk mnt mop mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd omr pab pen pgk php pkr " +
    "pln pyg qar ron rsd rub rwf sar sbd scr sek sgd shp sle sos srd std szl thb tjs tnd top try ttd twd " +
    "tzs uah ugx uyu uzs vnd vuv wst xaf xcd xcg xof xpf yer zar zmw"
  ).split(" "),
);

const THREE_DECIMALS: ReadonlySet<string> = new Set(["bhd", "jod", "kwd", "omr", "tnd"]);

/** Whether the lower-case code is a currency that can be charged. */
export function isCurrency(code: string): boolean {
  return CURRENCIES.has(code);
}

/**
 * Stripe takes three-decimal amounts in steps of ten minor units, and ISK and UGX (sent with two decimals) in
 * hundreds.
 */
export function amountStep(currency: string): number {
  if (THREE_DECIMALS.has(currency)) return 10;
  return currency === "isk" || currency === "ugx" ? 100 : 1;
}

const NO_DECIMALS: ReadonlySet<string> = new Set(
  "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf".split(" "),
);

/** How many of an amount's last digits are decimals on Stripe's wire. */
function scaleOf(currency: string): number {
  if (NO_DECIMALS.has(currency)) return 0;
  return THREE_DECIMALS.has(currency) ? 3 : 2;
}

/**
 * An amount of minor units as an English reader expects it, exact: 1999 in usd is `$19.99`, in jpy `¥1,999`.
 */
export function amountText(amountMinor: number, currency: string): string {
  const scale = scaleOf(currency);
  // These are sent with two decimals, have none, and come in hundreds only.
  const shown = currency === "isk" || currency === "ugx" ? 0 : scale;
  const digits = String(amountMinor).padStart(scale + 1, "0");
  const decimal = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
  const format = new Intl.NumberFormat("en-US", {
    style: "currency",
    currency,
    minimumFractionDigits: shown,
    maximumFractionDigits: shown,
  });
  return format.format(asDecimal(decimal));
}

/** A decimal text that `Intl` formats without going through a binary fraction. */
function asDecimal(text: string): `${number}` {
  const isDecimal = (value: string): value is `${number}` => /^\d+(\.\d+)?$/.test(value);
  if (isDecimal(text)) return text;
  throw new Error(`not a decimal: ${text}`);
}
