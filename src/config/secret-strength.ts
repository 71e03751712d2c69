/** Judges the strength of secrets that we or the operator choose. */

const length_min = 32;
/** Old keys of PSPs have no more than 24 random characters. */
const issued_length_min = 24;
/** 32 random hexadecimal digits have fewer different ones once in 27 million cases. */
const distinct_min = 8;
/**
 * A piece of this length that occurred before adds nothing. Of the shortest secret three quarters must be
 * new: three random pieces among 32 hexadecimal digits fall together once in ten million cases.
 */
const piece_length = 4;
/** Words from examples, and placeholders that people type to get a process started. */
const placeholders = new RegExp(
  [
    "change.?me|replace.?(this|me)|your.?(secret|key)|placeholder|example",
    "passw[o0]rd|p@ssw|secret|insecure|development|production",
    "qwerty|letmein|correct.?horse|deadbeef|lorem.?ipsum",
  ].join("|"),
  "i",
);
/** Words without a digit, in letters of one case: base64 and hexadecimal digits never look like this. */
const words = /^([a-z\W_]+|[A-Z\W_]+)$/;

/** What its adapter says of the secrets that a PSP issues. */
type IssuedSecrets = { readonly secret_prefix?: RegExp; readonly published_keys?: readonly string[] };

/**
 * Why a secret is easy to guess, as a text to follow its name; undefined if it is not. Never repeats the
 * secret.
 */
export function weaknessOf(secret: string): string | undefined {
  return weaknessIfBelow(length_min, secret);
}

/** The same for a secret that a PSP issued. Only the part after the prefix counts. */
export function weaknessOfIssued(secret: string, form: IssuedSecrets): string | undefined {
  const randomPart = withoutPrefix(secret, form);
  if (form.published_keys?.includes(randomPart) === true) return "stands in the PSP's documentation";
  return weaknessIfBelow(issued_length_min, randomPart);
}

export function withoutPrefix(secret: string, { secret_prefix }: IssuedSecrets): string {
  return secret_prefix === undefined ? secret : secret.replace(secret_prefix, "");
}

function weaknessIfBelow(length: number, secret: string): string | undefined {
  if (secret.length < length) return `is shorter than ${length} characters`;
  if (new Set(secret).size < distinct_min) return `has fewer than ${distinct_min} different characters`;
  if (repeatsItself(secret)) return "repeats itself";
  if (isRow(secret, 1) || isRow(secret, 2)) return "is a row of neighbouring characters or keys";
  if (countNew(secret) < (length * 3) / 4) return "repeats itself";
  if (placeholders.test(secret)) return "reads like an example";
  if (words.test(secret)) return "reads like words";
  return undefined;
}

/** Whether it is one piece repeated, the last repetition perhaps cut off. */
function repeatsItself(text: string): boolean {
  for (let period = 1; period <= text.length / 2; period++) {
    if (text.startsWith(text.slice(period))) return true;
  }
  return false;
}

/** How many of its characters are not part of a piece that occurred before. */
function countNew(text: string): number {
  const seen = new Set<string>();
  const old = new Set<number>();
  for (let start = 0; start + piece_length <= text.length; start++) {
    const piece = text.slice(start, start + piece_length);
    if (seen.has(piece)) {
      for (let index = 0; index < piece_length; index++) old.add(start + index);
    }
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
  if (a === undefined || b === undefined) return false;
  return Math.abs(a.row - b.row) <= 1 && Math.abs(a.column - b.column) <= 1;
}

function placeOf(character: string): { row: number; column: number } | undefined {
  const key = character.toLowerCase();
  for (const [row, keys] of keyboard.entries()) {
    const column = keys.indexOf(key);
    if (column !== -1) return { row, column };
  }
  return undefined;
}
