import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { errorRegistry } from "../../src/errors.ts";

const root = join(import.meta.dirname, "../..");
const read = (file: string): Promise<string> => readFile(join(root, file), "utf8");
const codes = Object.keys(errorRegistry);

/** The rows of the table in docs/errors.md. */
async function documented(): Promise<{ code: string; status: number; when: string; advice: string }[]> {
  const lines = (await read("docs/errors.md")).split("\n").filter((line) => line.startsWith("| `"));
  return lines.map((line) => {
    const [, code = "", status = "", when = "", advice = ""] = line.split("|").map((cell) => cell.trim());
    return { code: code.replaceAll("`", ""), status: Number(status), when, advice };
  });
}

test("docs/errors.md has every code once, in the registry's order, with its status", async () => {
  expect((await documented()).map(({ code, status }) => [code, status])).toEqual(
    Object.entries(errorRegistry).map(([code, { status }]) => [code, status]),
  );
});

test("docs/errors.md says of every code when it comes and what to do", async () => {
  for (const row of await documented())
    expect([row.code, row.when, row.advice]).toEqual([
      row.code,
      expect.stringMatching(/^\S.{10,}\.$/),
      expect.stringMatching(/^\S.{10,}\.$/),
    ]);
});

test("a client that repeats what docs/errors.md calls repeatable finds the same in the registry", async () => {
  for (const { code, advice } of await documented()) {
    const isRetryable = Object.entries(errorRegistry).find(([known]) => known === code)?.[1].is_retryable;
    expect([code, /same request again|Wait for/.test(advice)]).toEqual([code, isRetryable]);
  }
});

test("every code can happen: the source uses it", async () => {
  const files = (await readdir(join(root, "src"), { recursive: true })).filter(
    (file) => file.endsWith(".ts") && !file.endsWith(".test.ts") && file !== "errors.ts",
  );
  const source = (await Promise.all(files.map((file) => read(join("src", file))))).join("\n");
  expect(codes.filter((code) => !source.includes(`"${code}"`))).toEqual([]);
});

test("openapi.json names every code", async () => {
  const openApi = await read("openapi.json");
  expect(codes.filter((code) => !new RegExp(`\\b${code}\\b`).test(openApi))).toEqual([]);
});
