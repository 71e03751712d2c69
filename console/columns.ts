export type Column = { readonly title: string; readonly is_right?: boolean };

export type Columns = {
  readonly titles: string;
  /** A line under the titles. */
  readonly rule: string;
  readonly lines: readonly string[];
};

/** Rows under their titles, each column as wide as its widest cell, `gap` characters between them. */
export function layOut(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  gap: number,
): Columns {
  const titles = columns.map((column) => column.title);
  const widths = columns.map((_, index) =>
    Math.max(...[titles, ...rows].map((row) => (row[index] ?? "").length)),
  );
  const format = (row: readonly string[]): string =>
    columns
      .map((column, index) => {
        const [cell = "", width = 0] = [row[index], widths[index]];
        return column.is_right === true ? cell.padStart(width) : cell.padEnd(width);
      })
      .join(" ".repeat(gap))
      .trimEnd();
  return {
    titles: format(titles),
    rule: widths.map((width) => "─".repeat(width)).join(" ".repeat(gap)),
    lines: rows.map(format),
  };
}
