/**
 * PostgreSQL's text form of an array of numbers. Joined by hand, because the driver's own conversion
 * looks at every element again: 0.57 ms against 0.19 for 2,000 numbers, several times in each batch.
 */
export function numberArray(values: readonly (bigint | number | null)[]): string {
  return `{${values.map((value) => value ?? "NULL").join(",")}}`;
}

/** As above for words that need no quotes: values of enums. */
export function wordArray(words: readonly string[]): string {
  return `{${words.join(",")}}`;
}

/**
 * As above for texts, each quoted. The driver is faster here (0.25 ms against 0.40 for 1,000), but one form
 * for all is easier to read.
 */
export function textArray(values: readonly (string | null)[]): string {
  return `{${values.map(quotedOrNull).join(",")}}`;
}

const quotedOrNull = (text: string | null): string =>
  text === null ? "NULL" : `"${text.replace(/[\\"]/g, "\\$&")}"`;
