import { card_digits_max, card_digits_min, isCardNumber } from "./card-issuers.ts";

/** How card numbers are printed next to other digits: in fours, or as American Express and Diners do. */
const printed = new Set(["4,4,4,4", "4,6,5", "4,6,4"].map(shapeCode));
const printedAtStart = new Set([
  ...printed,
  ...["4,4,4,4,1", "4,4,4,4,2", "4,4,4,4,3", "4,4,4,1"].map(shapeCode),
]);

/** Up to this many signs hold two groups of digits together; a repeated one counts once, like four spaces. */
const separator_signs_max = 3;

/**
 * Whether a plain text holds a card number, in one of these readings: a group of digits, all groups of a
 * chain, those that the same sign holds together, a printed form at either end of them. No window slides over
 * a longer number: 98 % of all numbers of twenty digits would hold a card number somewhere. Only numbers are
 * kept on the way, so a megabyte of any text takes a few milliseconds.
 */
export function holdsCardNumber(text: string): boolean {
  const chain = new DigitChain(text);
  let end = 0;
  let signs = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (isDigit(code)) {
      const start = at;
      while (isDigit(text.charCodeAt(at + 1))) at += 1;
      if (chain.add(start, at + 1, separatorCode(text, end, start))) return true;
      end = at + 1;
      signs = 0;
    } else {
      if (at === end || code !== text.charCodeAt(at - 1)) signs += 1;
      if ((isLetter(code) || signs > separator_signs_max) && chain.end()) return true;
    }
  }
  return chain.end();
}

const isDigit = (code: number): boolean => code >= 48 && code <= 57;
const isLetter = (code: number): boolean => (code >= 65 && code <= 90) || (code >= 97 && code <= 122);

function separatorCode(text: string, start: number, end: number): number {
  let code = 0;
  let signs = 0;
  for (let at = start; at < end && signs < separator_signs_max; at++) {
    if (at > start && text.charCodeAt(at) === text.charCodeAt(at - 1)) continue;
    code = code * 0x1_0000 + text.charCodeAt(at);
    signs += 1;
  }
  return code;
}

/** Groups of digits with at most three different signs in a row between each two, and no letter. */
class DigitChain {
  readonly #text: string;
  #start = 0;
  #end = 0;
  #digits = 0;
  #groups = 0;
  /** The last groups that one sign holds together: `4242-4242-4242-4242 12/29` has three such segments. */
  readonly #segment = { start: 0, digits: 0, groups: 0, separator: 0 };
  readonly #recentStarts = [0, 0, 0, 0, 0];
  readonly #recentLengths = [0, 0, 0, 0, 0];

  constructor(text: string) {
    this.#text = text;
  }

  /** Adds a group and says whether a card number ends with it. */
  add(start: number, end: number, separator: number): boolean {
    const length = end - start;
    let isCard = isCardLength(length) && this.#isCard(start, end);
    const segment = this.#segment;
    if (this.#groups === 0) {
      this.#start = start;
      Object.assign(segment, { start, digits: length, groups: 1, separator: 0 });
    } else if (segment.groups === 1 || segment.separator === separator) {
      segment.separator = separator;
      segment.digits += length;
      segment.groups += 1;
    } else {
      isCard ||= this.#endsSegment();
      segment.start = this.#recentStarts[0] ?? 0;
      segment.digits = length + (this.#recentLengths[0] ?? 0);
      segment.groups = 2;
      segment.separator = separator;
    }
    this.#groups += 1;
    this.#digits += length;
    this.#end = end;
    for (let at = 4; at > 0; at--) {
      this.#recentStarts[at] = this.#recentStarts[at - 1] ?? 0;
      this.#recentLengths[at] = this.#recentLengths[at - 1] ?? 0;
    }
    this.#recentStarts[0] = start;
    this.#recentLengths[0] = length;
    return (
      isCard ||
      (segment.groups >= 3 && segment.groups <= 5 && this.#isPrinted(segment.groups, printedAtStart))
    );
  }

  /** Ends the chain and says whether a card number was in it. */
  end(): boolean {
    if (this.#groups === 0) return false;
    const isCard =
      this.#endsSegment() ||
      (this.#groups > 1 && isCardLength(this.#digits) && this.#isCard(this.#start, this.#end));
    this.#groups = 0;
    this.#digits = 0;
    return isCard;
  }

  #endsSegment(): boolean {
    const { start, digits, groups } = this.#segment;
    if (groups > 1 && isCardLength(digits) && this.#isCard(start, this.#end)) return true;
    return (groups > 3 && this.#isPrinted(3, printed)) || (groups > 4 && this.#isPrinted(4, printed));
  }

  /** Whether the last groups have one of these shapes and are a card number. */
  #isPrinted(groups: number, shapes: ReadonlySet<number>): boolean {
    let shape = 0;
    for (let at = groups - 1; at >= 0; at--) {
      const length = this.#recentLengths[at] ?? 0;
      if (length > 6) return false;
      shape = shape * 10 + length;
    }
    return shapes.has(shape) && this.#isCard(this.#recentStarts[groups - 1] ?? 0, this.#end);
  }

  #isCard(start: number, end: number): boolean {
    return isCardNumber(this.#text.slice(start, end).replaceAll(/[^0-9]/g, ""));
  }
}

const isCardLength = (length: number): boolean => length >= card_digits_min && length <= card_digits_max;

/** Lengths of groups as the digits of one number. */
function shapeCode(lengths: string): number {
  return Number(lengths.replaceAll(",", ""));
}
