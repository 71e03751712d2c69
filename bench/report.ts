import { layOut } from "../console/columns.ts";

/** Prints a benchmark's rows as a table for people, and one line of JSON for machines. */
export type Row = Readonly<Record<string, string | number>>;

export function printTable(title: string, rows: readonly Row[]): void {
  const columns = Object.keys(rows[0] ?? {});
  const cells = rows.map((row) => columns.map((column) => format(row[column])));
  const { titles, rule, lines } = layOut(
    columns.map((column, index) => ({ title: column, is_right: index > 0 })),
    cells,
    2,
  );
  process.stdout.write(`\n${[title, "", titles, rule, ...lines].join("\n")}\n`);
}

export function printJson(result: unknown): void {
  process.stdout.write(`\n${JSON.stringify(result)}\n`);
}

export function progress(text: string): void {
  process.stderr.write(`${text}\n`);
}

function format(value: string | number | undefined): string {
  if (typeof value !== "number") return value ?? "";
  return Number.isInteger(value) ? value.toLocaleString("en-US") : value.toFixed(value < 10 ? 2 : 1);
}

/** The value below which `share` of the sorted values lie. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
