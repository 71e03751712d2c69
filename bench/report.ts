/** Prints a benchmark's rows as a table for people, and one line of JSON for machines. */
export type Row = Readonly<Record<string, string | number>>;

export function printTable(title: string, rows: readonly Row[]): void {
  const columns = Object.keys(rows[0] ?? {});
  const cells = rows.map((row) => columns.map((column) => format(row[column])));
  const widths = columns.map((column, index) =>
    Math.max(column.length, ...cells.map((row) => row[index]?.length ?? 0)),
  );
  const line = (values: readonly string[]): string =>
    values
      .map((value, index) =>
        index === 0 ? value.padEnd(widths[index] ?? 0) : value.padStart(widths[index] ?? 0),
      )
      .join("  ");
  process.stdout.write(
    `\n${title}\n\n${line(columns)}\n${widths.map((width) => "─".repeat(width)).join("  ")}\n`,
  );
  for (const row of cells) process.stdout.write(`${line(row)}\n`);
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
