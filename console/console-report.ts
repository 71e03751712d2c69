import { styleText } from "node:util";

type Style = Parameters<typeof styleText>[0];
export type Column = { readonly title: string; readonly is_right?: boolean };

const indent = "   ";

/** One claim as it turned out. */
export type Claim = {
  readonly statement: string;
  readonly is_true: boolean;
  readonly details: readonly string[];
};

/** What a program tells a person, on the console; in colour only on a terminal, and not where NO_COLOR is set. */
export class ConsoleReport {
  readonly #out: NodeJS.WritableStream;
  #headingCount = 0;

  constructor(out: NodeJS.WritableStream) {
    this.#out = out;
  }

  title(text: string, subtitle: string): void {
    this.#write(this.#styled("bold", text));
    this.#write(subtitle);
    this.blank();
  }

  /** A numbered step, with what it is about to prove. */
  heading(text: string, proves: string): void {
    this.#headingCount += 1;
    this.blank();
    this.#write(this.#styled("bold", `${this.#headingCount}. ${text}`));
    this.#write(this.#styled("dim", `${indent}${proves}`));
  }

  line(text: string): void {
    this.#write(`${indent}${text}`);
  }

  blank(): void {
    this.#write("");
  }

  /** Rows under their titles, each column as wide as its widest cell. */
  table(columns: readonly Column[], rows: readonly (readonly string[])[]): void {
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
        .join("   ")
        .trimEnd();
    if (titles.some((title) => title !== "")) this.#write(this.#styled("dim", `${indent}${format(titles)}`));
    for (const row of rows) this.line(format(row));
  }

  claim({ statement, is_true, details }: Claim): void {
    this.line(`${is_true ? this.#styled("green", "✓") : this.#styled("red", "✗")} ${statement}`);
    for (const detail of details) this.line(`    ${this.#styled("red", detail)}`);
  }

  verdict(text: string, isGood: boolean): void {
    this.blank();
    this.#write(this.#styled(isGood ? ["bold", "green"] : ["bold", "red"], text));
  }

  #styled(style: Style, text: string): string {
    return styleText(style, text, { stream: this.#out });
  }

  #write(line: string): void {
    this.#out.write(`${line}\n`);
  }
}
