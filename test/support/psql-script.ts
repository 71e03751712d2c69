import pg from "pg";

/** Types that psql sets to the right: oid, bigint, smallint, integer, real, double precision, numeric. */
const right_aligned_types = new Set([26, 20, 21, 23, 700, 701, 1700]);

type Cell = string | null;

/**
 * Runs a script as `psql -f` does and gives what psql would print, but for spaces at the ends of lines. Of psql's own
 * commands it knows `\set` and `\echo` (of words without quotes).
 */
export async function runScript(client: pg.Client, script: string): Promise<string> {
  const variables = new Map<string, string>();
  let printed = "";
  for (const part of partsOf(script)) {
    const [, command, words = ""] = /^\\(\w+)\s*(.*)$/s.exec(part) ?? [];
    if (command === undefined) printed += await answerOf(client, withVariables(part, variables));
    else if (command === "echo") printed += `${words}\n`;
    else if (command === "set") variables.set(...variableOf(words));
    else throw new Error(`the script uses \\${command}, which is not known here`);
  }
  return printed;
}

/** Commands, each on a line of its own, and statements, each up to its semicolon at the end of a line. */
function partsOf(script: string): string[] {
  const lines = script.split("\n").filter((line) => !line.startsWith("--"));
  const parts: string[] = [];
  let statement = "";
  for (const line of lines) {
    const isCommand = statement === "" && line.startsWith("\\");
    if (!isCommand) statement = `${statement}${line}\n`.trimStart();
    if (isCommand) parts.push(line);
    if (statement.endsWith(";\n")) {
      parts.push(statement);
      statement = "";
    }
  }
  if (statement !== "") throw new Error(`the last statement has no end: ${statement}`);
  return parts;
}

function variableOf(words: string): [string, string] {
  const [, name, value] = /^(\w+) '([^']*)'$/.exec(words) ?? [];
  if (name === undefined || value === undefined) throw new Error(`\\set ${words} is not of the form a 'b'`);
  return [name, value];
}

const withVariables = (statement: string, variables: ReadonlyMap<string, string>): string =>
  statement.replaceAll(/(?<!:):'(\w+)'/g, (_, name: string) => {
    const value = variables.get(name);
    if (value === undefined) throw new Error(`the script uses ${name} before it is set`);
    return pg.escapeLiteral(value);
  });

async function answerOf(client: pg.Client, text: string): Promise<string> {
  const asText = { getTypeParser: () => (value: string) => value };
  const result = await client.query<Cell[]>({ text, rowMode: "array", types: asText });
  const titles = result.fields.map(({ name }) => name);
  const rows = result.rows.map((row) => row.map((cell) => cell ?? ""));
  const widths = titles.map((title, index) =>
    Math.max(title.length, ...rows.map((row) => (row[index] ?? "").length)),
  );
  const isRight = result.fields.map(({ dataTypeID }) => right_aligned_types.has(dataTypeID));
  const lineOf = (cells: readonly string[]): string => ` ${cells.join(" | ")}`.trimEnd();
  const lines = [
    lineOf(titles.map((title, index) => centred(title, widths[index] ?? 0))),
    widths.map((width) => "-".repeat(width + 2)).join("+"),
    ...rows.map((row) =>
      lineOf(
        row.map((cell, index) =>
          isRight[index] === true ? cell.padStart(widths[index] ?? 0) : cell.padEnd(widths[index] ?? 0),
        ),
      ),
    ),
    `(${rows.length} ${rows.length === 1 ? "row" : "rows"})`,
  ];
  return `${lines.join("\n")}\n\n`;
}

function centred(title: string, width: number): string {
  const before = Math.floor((width - title.length) / 2);
  return `${" ".repeat(before)}${title}`.padEnd(width);
}
