/**
 * Numbers with a form and a check of their own: they are not card numbers, even if some of their digits look
 * like one.
 */

/** RFC 9562, with a version and a variant that exist. */
const uuid = /\b[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\b/gi;
/** The same without hyphens, and SHA-1 and SHA-256 in hexadecimal. */
const hex =
  /\b(?:[0-9a-f]{12}[1-8][0-9a-f]{3}[89ab][0-9a-f]{15}|(?=(?:\d*[a-f]){8})(?:[0-9a-f]{40}|[0-9a-f]{64}))\b/gi;
/** A shipment of UPS. */
const ups = /\b1Z[0-9A-Z]{16}\b/g;
const time = String.raw`([T ]|, ?)\d{1,2}:\d{2}(:\d{2}([.,]\d{1,9})?)?( ?(Z|[+-]\d{2}:?\d{2}))?`;
const timestamp = new RegExp(
  String.raw`\b(\d{4}-(0\d|1[0-2])-[0-3]\d|[0-3]?\d([./-])[0-3]?\d\3(19|20)\d{2})${time}\b`,
  "g",
);
/**
 * E.164 with its plus sign. No phone number in use has 15 digits or more, but cards do; the few with 14 do
 * not begin like a card of that length.
 */
const phone = /\+\d(?:[ ().-]{0,2}\d){6,12}(?![ ().-]{0,3}\d)/g;
const iban = /\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b/g;

/** The text with those numbers replaced by a letter. */
export function withoutExemptForms(text: string): string {
  return [uuid, hex, ups, timestamp, phone]
    .reduce((left, form) => left.replaceAll(form, "x"), text)
    .replaceAll(iban, (candidate) => (isIban(candidate.replaceAll(" ", "")) ? "x" : candidate));
}

/** Lengths of the IBAN registry (ISO 13616). */
const ibanLengths = new Map(
  (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 " +
    "EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 " +
    "IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 " +
    "NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 " +
    "SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30"
  )
    .split(" ")
    .map((entry) => [entry.slice(0, 2), Number(entry.slice(2))]),
);

/** Country, length and the check digits of ISO 7064 (mod 97-10). */
export function isIban(text: string): boolean {
  if (ibanLengths.get(text.slice(0, 2)) !== text.length) return false;
  let remainder = 0;
  for (const character of text.slice(4) + text.slice(0, 4)) {
    const value = Number.parseInt(character, 36);
    remainder = (remainder * (value > 9 ? 100 : 10) + value) % 97;
  }
  return remainder === 1;
}
