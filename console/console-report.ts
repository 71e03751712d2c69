import { styleText } from "node:util";
import { layOut, type Column } from "./columns.ts";

type Style = Parameters<typeof styleText>[0];

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

  /** Rows under their titles; without a line of titles if all are empty. */
  table(columns: readonly Column[], rows: readonly (readonly string[])[]): void {
    const { titles, lines } = layOut(columns, rows, 3);
    if (titles !== "") this.#write(this.#styled("dim", `${indent}${titles}`));
    for (const line of lines) this.line(line);
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
