import { card_digits_min } from "./card-issuers.ts";
import { holdsCardNumber } from "./digit-chains.ts";
import { mayBeEscaped, withoutClearEscapes, withoutEscapes } from "./escapes.ts";
import { withoutExemptForms } from "./exempt-forms.ts";
import { plainText } from "./plain-text.ts";

export type CardData =
  | "a card number"
  | "the data of a card's magnetic stripe"
  | "a card's verification code";

/** Track 1 and 2 (ISO/IEC 7813), for all issuers. */
const tracks = /%?\bB\d{12,19}\^[^^]{2,26}\^\d{4}|;\d{12,19}=\d{4}/i;
const mayBeSpoken = /cv[vcn]|card [vs]/i;
const spokenCode = new RegExp(
  String.raw`\b(cvv2?|cvc2?|cvn2?|card (verification|security) (code|value|number))` +
    String.raw`(\W{1,3}(code|number|no|is|was)){0,2}\W{0,3}\d{3,4}\b`,
  "i",
);
/**
 * As many digits as a card number has, with no letter but x between them. Most texts have none and need no
 * further check.
 */
const mayBeCardNumber = new RegExp(`\\d(?:[^0-9A-WYZa-wyz]*\\d){${card_digits_min - 1}}`);
/** One letter between all groups of a printed number, as in `4242x4242x4242x4242`. */
const groupsWithLetter = new RegExp(
  String.raw`(?<!\d)\d{4} ?(?:([a-z]) ?\d{4} ?\1 ?\d{4} ?\1 ?\d{1,4}(?: ?\1 ?\d{1,3})?|` +
    String.raw`([a-z]) ?\d{6} ?\2 ?\d{4,5})(?!\d)`,
  "gi",
);
/** More signs than hold a chain together, but the same between all groups: `4242 -/. 4242 -/. 4242`. */
const groupsWithManySigns = /(?<!\d)\d{1,6}([^0-9a-z]{4,20})\d{1,6}(?:\1\d{1,6}){1,17}(?!\d)/gi;
/** How often codes of codes, as in `%252520`, are decoded. */
const escape_levels_max = 3;

/**
 * The kind of card data in a text that must not be kept. Digits are found in any script and with any signs
 * between them, and written by codes too. 4 % of random 16-digit numbers look like a card's. SECURITY.md
 * lists what is not found: finding it too would refuse ordinary order, telephone and tracking numbers.
 */
export function cardDataIn(
  text: string,
  { digits, is_ascii }: TextSurvey = surveyText(text),
): CardData | undefined {
  if (digits < 3) return undefined;
  let plain = is_ascii ? text : plainText(text);
  // Each code of a digit has a digit in it, so no reading has more of them.
  for (let level = 0; level < escape_levels_max && mayBeEscaped.test(plain); level++) {
    const found = cardDataInPlain(plainText(withoutClearEscapes(plain)), digits);
    if (found !== undefined) return found;
    const decoded = plainText(withoutEscapes(plain));
    if (decoded === plain) break;
    plain = decoded;
  }
  return cardDataInPlain(plain, digits);
}

function cardDataInPlain(plain: string, digits: number): CardData | undefined {
  if (mayBeSpoken.test(plain) && spokenCode.test(plain)) return "a card's verification code";
  if (digits < card_digits_min) return undefined;
  if (/[\^=]/.test(plain) && tracks.test(plain)) return "the data of a card's magnetic stripe";
  const isCandidate = mayBeCardNumber.test(plain) || plain.search(groupsWithLetter) !== -1;
  if (!isCandidate || !holdsCardNumberInAReading(plain)) return undefined;
  return holdsCardNumberInAReading(withoutExemptForms(plain)) ? "a card number" : undefined;
}

/** As it stands, and with what separates the groups of a number reduced to blanks. */
function holdsCardNumberInAReading(plain: string): boolean {
  if (holdsCardNumber(plain)) return true;
  return [groupsWithLetter, groupsWithManySigns].some((groups) => {
    const reading = plain.replaceAll(groups, (number) => number.replaceAll(/\D+/g, " "));
    return reading !== plain && holdsCardNumber(reading);
  });
}

export type TextSurvey = {
  /** An upper bound: in a text that is not ASCII any character may represent a digit. */
  readonly digits: number;
  readonly is_ascii: boolean;
  readonly has_control_character: boolean;
};

/** Takes a fraction of a microsecond, and most texts need no more. */
export function surveyText(text: string): TextSurvey {
  let digits = 0;
  let isAscii = true;
  let hasControlCharacter = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code < 48) hasControlCharacter ||= code < 0x20;
    else if (code < 58) digits += 1;
    else if (code > 0x7e) {
      if (code === 0x7f) hasControlCharacter = true;
      else isAscii = false;
      digits += 1;
    }
  }
  return { digits, is_ascii: isAscii, has_control_character: hasControlCharacter };
}

/**
 * Names of fields for verification codes and PIN blocks, which may never be stored, not even for a moment.
 */
const codeNames = new RegExp(
  "^(card|cc|creditcard)?(cvv2?|cvc2?|cvn2?|cvd2?|csc|cav2|cid|verificationcode|" +
    "verificationvalue|verificationnumber|securitycode|pin|pinblock)$",
);

export function isVerificationCodeName(name: string): boolean {
  if (name.length > 60) return false;
  return codeNames.test(
    plainText(name)
      .toLowerCase()
      .replaceAll(/[^a-z0-9]/g, ""),
  );
}
