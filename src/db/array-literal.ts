/**
 * PostgreSQL's text form of an array. Joined by hand, because the driver's own conversion inspects
 * every element again and took as long as the posting itself for batches of thousands of numbers.
 */
export function numberArray(values: readonly (bigint | number | null)[]): string {
  return `{${values.map((value) => value ?? "NULL").join(",")}}`;
}

/** As above for texts, each quoted. */
export function textArray(values: readonly (string | null)[]): string {
  return `{${values.map((value) => (value === null ? "NULL" : `"${value.replace(/[\\"]/g, "\\$&")}"`)).join(",")}}`;
}
