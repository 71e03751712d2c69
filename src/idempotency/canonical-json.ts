/**
 * JSON with sorted member names and no white space (RFC 8785). JavaScript's own printing of strings
 * and numbers is what the standard prescribes. The HTTP door bounds the depth before this runs.
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  // Infinity would be printed as null, and two different bodies would pass for the same.
  if (typeof value === "number" && !Number.isFinite(value)) throw new Error("a number that JSON cannot hold");
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .toSorted(([a], [b]) => compareUnits(a, b));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`).join(",")}}`;
}

/** By UTF-16 code units, as the standard prescribes, and not by a language's order. */
function compareUnits(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}
