import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { causes } from "../../src/payments/model/model.ts";

const root = join(import.meta.dirname, "../..");
const read = (file: string): Promise<string> => readFile(join(root, file), "utf8");

/** The cells of the rows in the table of docs/causes.md. */
async function documented(): Promise<{ cause: string; statuses: string[]; means: string; advice: string }[]> {
  const lines = (await read("docs/causes.md")).split("\n").filter((line) => line.startsWith("| `"));
  return lines.map((line) => {
    const [, cause = "", statuses = "", means = "", advice = ""] = line.split("|").map((cell) => cell.trim());
    return { cause: cause.replaceAll("`", ""), statuses: statuses.split(", "), means, advice };
  });
}

test("docs/causes.md has every cause once, in the order of the code", async () => {
  expect((await documented()).map(({ cause }) => cause)).toEqual(causes);
});

test("docs/causes.md says of every cause in which states an order has it, what it means and what to do", async () => {
  const states = await read("docs/architecture.md");
  for (const { cause, statuses, means, advice } of await documented()) {
    expect(
      statuses.filter((status) => !states.includes(`\n| ${status} | `)),
      cause,
    ).toEqual([]);
    expect([cause, means, advice]).toEqual([
      cause,
      expect.stringMatching(/^\S.{10,}\.$/),
      expect.stringMatching(/^\S.{6,}\.$/),
    ]);
  }
});

test("every cause can happen: the source uses it", async () => {
  const files = await readdir(join(root, "src/payments"), { recursive: true });
  const room = files.filter(
    (file) => file.endsWith(".ts") && !file.endsWith(".test.ts") && file !== join("model", "model.ts"),
  );
  const source = (await Promise.all(room.map((file) => read(join("src/payments", file))))).join("\n");
  expect(causes.filter((cause) => !source.includes(`"${cause}"`))).toEqual([]);
});
