/** Characters written by a code: in a URL (`%20`), in HTML (`&nbsp;`), or in a text of a program (`\n`). */

export const mayBeEscaped = /%[0-9a-f]{2}|%u|&[#a-z]|\\[nrtfvux]/i;

const escapes = new RegExp(
  [
    "(?:%[0-9a-f]{2})+",
    String.raw`(?:\\+|%)u[0-9a-f]{4}|\\+x[0-9a-f]{2}|\\+[nrtfv]`,
    String.raw`&(?:#x[0-9a-f]{1,6}|#\d{1,7}|emsp1[34]|[a-z]{2,30});?`,
  ].join("|"),
  "gi",
);
/**
 * Codes with which no card number can begin, unlike that in `100%4012888888881881`. The digits of these must
 * not count as digits of the text, as the 20 in `order%20AT4623550127`.
 */
const clearEscapes = new RegExp(
  [
    "(?:%(?:2[0189a-f]|3[a-f]|5[b-f]|7[b-f])|%[c-f][0-9a-f](?:%[89ab][0-9a-f])+)+",
    String.raw`&#(?:\d{1,3}|x[0-9a-f]{1,4});`,
  ].join("|"),
  "gi",
);

/** HTML's names of blanks, dashes and other signs, which a reader sees between digits. */
const signs = new Set(
  (
    "tab newline nbsp nonbreakingspace ensp emsp emsp13 emsp14 numsp puncsp thinsp thinspace hairsp " +
    "verythinspace mediumspace thickspace ndash mdash minus hyphen dash horbar lowbar underbar middot " +
    "centerdot bull bullet period comma colon semi sol bsol vert verbar verticalline ast midast hellip"
  ).split(" "),
);
/** HTML's names of invisible characters. */
const unseen = new Set(["shy", "zwj", "zwnj", "lrm", "rlm", "nobreak", "zerowidthspace", "applyfunction"]);

/** The text with each code replaced by its character; codes of codes (`%2520`) become codes. */
export const withoutEscapes = (text: string): string => text.replaceAll(escapes, characterOf);
export const withoutClearEscapes = (text: string): string => text.replaceAll(clearEscapes, characterOf);

/** A long text may hold hundreds of thousands of codes, nearly all of them equal. */
const known = new Map<string, string>();
const known_max = 2_000;

function characterOf(written: string): string {
  const seen = known.get(written);
  if (seen !== undefined) return seen;
  const character = read(written);
  if (known.size < known_max && written.length <= 12) known.set(written, character);
  return character;
}

function read(written: string): string {
  const hex = /[ux]([0-9a-f]+);?$/i.exec(written)?.[1];
  if (written.startsWith("&") && !written.startsWith("&#")) return characterNamed(written);
  if (written.startsWith("&#")) return characterAt(hex === undefined ? written.slice(2) : `0x${hex}`);
  if (hex !== undefined) return characterAt(`0x${hex}`);
  if (written.startsWith("\\")) return " ";
  return Buffer.from(written.replaceAll("%", ""), "hex").toString("utf8");
}

function characterAt(number: string): string {
  const code = Number(number.replace(";", ""));
  return code <= 0x10ffff ? String.fromCodePoint(code) : " ";
}

function characterNamed(written: string): string {
  const name = written.slice(1).replace(";", "").toLowerCase();
  if (name === "amp") return "&";
  if (signs.has(name)) return " ";
  return unseen.has(name) ? "" : written;
}
