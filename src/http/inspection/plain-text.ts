/**
 * A text as a reader sees it, with its digits in ASCII: `４２４２`, `٤٢` and `4<soft hyphen>2` are digits too.
 */
export function plainText(written: string): string {
  const text = written.replaceAll(ideographs, (run) =>
    Array.from(run, (character) => ideographicDigits.get(character) ?? character).join(""),
  );
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

/** One alone is a word, and beside other digits it would hide their number: a card number has twelve. */
const ideographs = /[〇零一二三四五六七八九](?:[^\p{L}\p{N}]{0,3}[〇零一二三四五六七八九]){11,}/gu;
const ideographicDigits = new Map(
  Array.from("〇一二三四五六七八九", (character, value) => [character, String(value)]),
).set("零", "0");

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
  if (/[\p{No}\p{Nl}]/u.test(character)) return numeralValue(character) ?? "x";
  return /[\p{L}\p{N}]/u.test(character) ? "x" : " ";
}

/** Unicode's decimal digits come in rows of ten that begin with a zero. */
function decimalValue(digit: string): number {
  const codePoint = digit.codePointAt(0) ?? 0;
  let before = 0;
  while (/\p{Nd}/u.test(String.fromCodePoint(codePoint - before - 1))) before += 1;
  return before % 10;
}

/**
 * Where Unicode's other numerals of one digit begin, in rows from one to nine: ornaments that NFKC leaves as
 * they are (❶), and scripts without a zero, such as Ethiopic, Suzhou, Brahmi, Aegean and counting rods.
 */
const ones = [
  0x1369, 0x24f5, 0x2776, 0x2780, 0x278a, 0x3021, 0xa6e6, 0x10107, 0x102e1, 0x109c0, 0x10e60, 0x11052,
  0x111e1, 0x11c5a, 0x12415, 0x16e81, 0x17f1, 0x1d2e1, 0x1d360, 0x1d369, 0x1e8c7, 0x1ec71, 0x1eca3, 0x1ed01,
];
const zeros = [0x17f0, 0x24ff, 0x3007, 0xa6ef, 0x1018a, 0x16e80, 0x1d2e0, 0x1f10b, 0x1f10c];

function numeralValue(character: string): string | undefined {
  const codePoint = character.codePointAt(0) ?? 0;
  if (zeros.includes(codePoint)) return "0";
  const one = ones.find((first) => codePoint >= first && codePoint < first + 9);
  return one === undefined ? undefined : String(codePoint - one + 1);
}
