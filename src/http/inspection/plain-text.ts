/**
 * A text as a reader sees it, with its digits in ASCII: `４２４２`, `٤٢` and `4<soft hyphen>2` are digits too.
 */
export function plainText(text: string): string {
  let plain = "";
  let copied = 0;
  for (let at = 0; at < text.length; at++) {
    if (text.charCodeAt(at) < 0x80) continue;
    const codePoint = text.codePointAt(at) ?? 0;
    plain += text.slice(copied, at) + plainOf(codePoint);
    if (codePoint > 0xffff) at += 1;
    copied = at + 1;
  }
  return copied === 0 ? text : plain + text.slice(copied);
}

// Character by character: NFKC of a whole text sorts its combining marks, which is quadratic in a row of
// them.
const known = new Map<number, string>();
const known_max = 20_000;

function plainOf(codePoint: number): string {
  const seen = known.get(codePoint);
  if (seen !== undefined) return seen;
  const plain = Array.from(String.fromCodePoint(codePoint).normalize("NFKC"), plainCharacter).join("");
  if (known.size < known_max) known.set(codePoint, plain);
  return plain;
}

/** Digits stay, invisible characters vanish, letters become `x`, and signs become blanks. */
function plainCharacter(character: string): string {
  if ((character.codePointAt(0) ?? 0) < 0x80) return character;
  if (/[\p{M}\p{Cf}\p{Default_Ignorable_Code_Point}]/u.test(character)) return "";
  if (/\p{Nd}/u.test(character)) return String(decimalValue(character));
  if (/\p{No}/u.test(character)) return ornamentalDigit(character) ?? "x";
  return /[\p{L}\p{N}]/u.test(character) ? "x" : " ";
}

/** Unicode's decimal digits come in rows of ten that begin with a zero. */
function decimalValue(digit: string): number {
  const codePoint = digit.codePointAt(0) ?? 0;
  let before = 0;
  while (/\p{Nd}/u.test(String.fromCodePoint(codePoint - before - 1))) before += 1;
  return before % 10;
}

/** Where circled digits begin that NFKC leaves as they are, such as ❶: rows from one to nine, and their zeros. */
const circledOnes = [0x24f5, 0x2776, 0x2780, 0x278a];
const circledZeros = [0x24ff, 0x1f10b, 0x1f10c];

function ornamentalDigit(character: string): string | undefined {
  const codePoint = character.codePointAt(0) ?? 0;
  if (circledZeros.includes(codePoint)) return "0";
  const one = circledOnes.find((first) => codePoint >= first && codePoint < first + 9);
  return one === undefined ? undefined : String(codePoint - one + 1);
}
