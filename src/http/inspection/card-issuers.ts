/** Which digits are a card number: issuer prefix, length and check digit together (ISO/IEC 7812). */

type IssuerRange = readonly [scheme: string, first: number, last: number, lengths: readonly number[]];

/**
 * Ranges of the first six digits, and the lengths issued. More lengths would refuse more harmless order
 * numbers.
 */
const issuers: readonly IssuerRange[] = [
  ["Mir", 220_000, 220_499, [16, 17, 18, 19]],
  ["Mastercard", 222_100, 272_099, [16]],
  ["Diners Club", 300_000, 305_999, [14, 16]],
  ["Diners Club", 309_500, 309_599, [14, 16]],
  ["American Express", 340_000, 349_999, [15]],
  ["JCB, RuPay", 352_800, 358_999, [16, 19]],
  ["Diners Club", 360_000, 369_999, [14, 16, 19]],
  ["American Express", 370_000, 379_999, [15]],
  ["Diners Club", 380_000, 399_999, [14, 16]],
  ["Visa", 400_000, 499_999, [13, 16, 19]],
  ["Maestro, Elo, RuPay, Verve", 500_000, 509_999, [16, 18, 19]],
  ["Maestro", 501_800, 501_899, [12, 13, 14, 15, 17]],
  ["Maestro", 502_000, 502_099, [12, 13, 14, 15, 17]],
  ["Maestro", 503_800, 503_899, [12, 13, 14, 15, 17]],
  ["Mastercard", 510_000, 559_999, [16]],
  ["Maestro", 560_000, 589_999, [16, 18, 19]],
  ["Maestro", 589_300, 589_399, [12, 13, 14, 15, 17]],
  ["Discover", 601_100, 601_199, [16, 19]],
  ["RuPay, Hipercard", 606_000, 608_999, [16]],
  ["UnionPay", 620_000, 629_999, [16, 17, 18, 19]],
  ["Maestro, InterPayment", 630_000, 639_999, [16, 18, 19]],
  ["Maestro", 630_400, 630_499, [12, 13, 14, 15, 17]],
  ["Discover, RuPay, Troy, Elo", 644_000, 659_999, [16, 19]],
  ["Maestro, Bancontact", 670_000, 679_999, [16, 18, 19]],
  ["Maestro", 675_900, 676_399, [12, 13, 14, 15, 17]],
  ["UnionPay, RuPay", 810_000, 829_999, [16]],
  ["Uzcard", 860_000, 860_099, [16]],
  ["Troy", 979_200, 979_289, [16]],
  ["Humo", 986_000, 986_099, [16]],
];

export const card_digits_min = 12;
export const card_digits_max = 19;

export function isCardNumber(digits: string): boolean {
  if (digits.length < card_digits_min || digits.length > card_digits_max || !passesLuhn(digits)) return false;
  const prefix = Number(digits.slice(0, 6));
  const isIssued = ([, first, last, lengths]: IssuerRange): boolean =>
    prefix >= first && prefix <= last && lengths.includes(digits.length);
  if (!issuers.some(isIssued)) return false;
  // Cards of 13 digits are no longer issued; German bar codes and mobile numbers have 13 digits and begin
  // with 4.
  return digits.length !== 13 || !(passesEan(digits) || /^491[567]/.test(digits));
}

/** The check digit of card numbers (ISO/IEC 7812-1, annex B). */
function passesLuhn(digits: string): boolean {
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    const digit = digits.charCodeAt(digits.length - 1 - i) - 48;
    const doubled = i % 2 === 1 ? digit * 2 : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}

/** The check digit of EAN and GTIN bar codes (ISO/IEC 15420). */
function passesEan(digits: string): boolean {
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    sum += (digits.charCodeAt(digits.length - 1 - i) - 48) * (i % 2 === 1 ? 3 : 1);
  }
  return sum % 10 === 0;
}
