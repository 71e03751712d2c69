/** Judges the strength of secrets that we or the operator choose. */

const length_min = 32;
/** Stripe's oldest keys have 24 random characters behind `sk_live_`. */
const issued_length_min = 24;
const issuedPrefix = /^(whsec_|[rs]k_(live_|test_|org_)?)/;
/** 32 random hexadecimal digits have fewer different ones once in 27 million cases. */
const distinct_min = 8;
/** Words from examples, and placeholders that people type to get a process started. */
const placeholders =
  /change.?me|password|example|placeholder|replace.?(this|me)|your.?(secret|key)|secret.?key|development/i;

/**
 * Why a secret is easy to guess, as a text to follow its name; undefined if it is not. Never repeats the
 * secret.
 */
export function weaknessOf(secret: string): string | undefined {
  return weaknessBeyond(length_min, secret);
}

/** The same of a secret that a PSP made, without the prefix that says what it is. */
export function weaknessOfIssued(secret: string): string | undefined {
  return weaknessBeyond(issued_length_min, secret.replace(issuedPrefix, ""));
}

function weaknessBeyond(length: number, secret: string): string | undefined {
  if (secret.length < length) return `is shorter than ${length} characters`;
  if (new Set(secret).size < distinct_min) return `has fewer than ${distinct_min} different characters`;
  if (repeatsItself(secret)) return "repeats itself";
  if (isRow(secret)) return "is a row of neighbouring characters";
  if (placeholders.test(secret)) return "reads like an example";
  return undefined;
}

/** Whether it is one piece, over and over. */
function repeatsItself(text: string): boolean {
  for (let period = 1; period <= text.length / 2; period++) {
    if (text.startsWith(text.slice(period))) return true;
  }
  return false;
}

/** Whether most characters are the same as the one before, or the next or the last one: aaaa, abcd, 9876. */
function isRow(text: string): boolean {
  const neighbours = Array.from({ length: text.length - 1 }, (_, index) =>
    Math.abs(text.charCodeAt(index + 1) - text.charCodeAt(index)),
  );
  return neighbours.filter((distance) => distance <= 1).length > (neighbours.length * 2) / 3;
}
