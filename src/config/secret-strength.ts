/** Judges the strength of secrets that we or the operator choose. */

const length_min = 32;
/** Stripe's oldest keys have 24 random characters behind `sk_live_`. */
const issued_length_min = 24;
const issuedPrefix = /^(whsec_|[rs]k_(live_|test_|org_)?)/;
/** 32 random hexadecimal digits have fewer different ones once in 27 million cases. */
const distinct_min = 8;
/**
 * A piece of this length that occurred before adds nothing. Of the shortest secret three quarters must be
 * new: three random pieces among 32 hexadecimal digits fall together once in ten million cases.
 */
const piece_length = 4;
/** Words from examples, and placeholders that people type to get a process started. */
const placeholders =
  /change.?me|passw[o0]rd|p@ssw|example|placeholder|replace.?(this|me)|your.?(secret|key)|secret|development|production|insecure|qwerty|letmein|correct.?horse|deadbeef|lorem.?ipsum/i;
/** Words without a digit, in letters of one case: base64 and hexadecimal digits never look like this. */
const words = /^([a-z\W_]+|[A-Z\W_]+)$/;
/** From Stripe's documentation, without `sk_test_`: everybody can use them. */
const published = ["4eC39HqLyjWDarjtT1zdp7dc", "BQokikJOvBiI2HlWgH4olfQ2", "tR3PYbcVNZZ796tH88S4VQ2u"];

/**
 * Why a secret is easy to guess, as a text to follow its name; undefined if it is not. Never repeats the
 * secret.
 */
export function weaknessOf(secret: string): string | undefined {
  return weaknessBeyond(length_min, secret);
}

/** The same of a secret that a PSP made, without the prefix that says what it is. */
export function weaknessOfIssued(secret: string): string | undefined {
  const issued = secret.replace(issuedPrefix, "");
  if (published.includes(issued)) return "stands in the PSP's documentation";
  return weaknessBeyond(issued_length_min, issued);
}

function weaknessBeyond(length: number, secret: string): string | undefined {
  if (secret.length < length) return `is shorter than ${length} characters`;
  if (new Set(secret).size < distinct_min) return `has fewer than ${distinct_min} different characters`;
  if (repeatsItself(secret)) return "repeats itself";
  if (isRow(secret, 1) || isRow(secret, 2)) return "is a row of neighbouring characters or keys";
  if (countNews(secret) < (length * 3) / 4) return "repeats itself";
  if (placeholders.test(secret)) return "reads like an example";
  if (words.test(secret)) return "reads like words";
  return undefined;
}

/** Whether it is one piece, over and over. */
function repeatsItself(text: string): boolean {
  for (let period = 1; period <= text.length / 2; period++) {
    if (text.startsWith(text.slice(period))) return true;
  }
  return false;
}

/** How many of its characters do not belong to a piece that stood there before. */
function countNews(text: string): number {
  const seen = new Set<string>();
  const old = new Set<number>();
  for (let start = 0; start + piece_length <= text.length; start++) {
    const piece = text.slice(start, start + piece_length);
    if (seen.has(piece)) for (let index = 0; index < piece_length; index++) old.add(start + index);
    seen.add(piece);
  }
  return text.length - old.size;
}

/**
 * Whether most characters are the same as the one `step` before, or the next or the last one, or beside it on
 * the keyboard: aaaa, abcd, 9876, qwer, 1q2w, and with a step of two a1b2c3.
 */
function isRow(text: string, step: 1 | 2): boolean {
  const count = text.length - step;
  const neighbours = Array.from({ length: count }, (_, index) =>
    areNeighbours(text.charAt(index), text.charAt(index + step), step === 1),
  );
  return neighbours.filter(Boolean).length > (count * 2) / 3;
}

const keyboard = ["1234567890-=", "qwertyuiop[]", "asdfghjkl;'", "zxcvbnm,./"];

function areNeighbours(one: string, other: string, countsKeys: boolean): boolean {
  if (Math.abs(one.charCodeAt(0) - other.charCodeAt(0)) <= 1) return true;
  if (!countsKeys) return false;
  const [a, b] = [placeOf(one), placeOf(other)];
  return (
    a !== undefined && b !== undefined && Math.abs(a.row - b.row) <= 1 && Math.abs(a.column - b.column) <= 1
  );
}

function placeOf(character: string): { row: number; column: number } | undefined {
  const row = keyboard.findIndex((keys) => keys.includes(character.toLowerCase()));
  return row === -1 ? undefined : { row, column: (keyboard[row] ?? "").indexOf(character.toLowerCase()) };
}
