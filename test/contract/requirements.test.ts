import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "../..");
const page = "requirements.md";
const folders = ["bench", "chaos", "demo", "docs", "examples", "migrations", "simulator", "src", "test"];

/** Every file of the repository that may cite a requirement. */
async function citingFiles(): Promise<string[]> {
  const inFolders = await Promise.all(
    folders.map(async (folder) =>
      (await readdir(join(root, folder), { recursive: true })).map((file) => join(folder, file)),
    ),
  );
  const files = [...inFolders.flat(), ...(await readdir(root))];
  return files.filter(
    (file) =>
      /\.(ts|sql|md)$/.test(file) &&
      !file.includes("node_modules") &&
      !file.endsWith(page) &&
      !file.endsWith("requirements.test.ts"),
  );
}

test("every requirement that the repository cites is on the page, once, and none that it does not cite", async () => {
  const texts = await Promise.all((await citingFiles()).map((file) => readFile(join(root, file), "utf8")));
  const cited = new Set(texts.flatMap((text) => text.match(/\bR\d{1,3}\b/g) ?? []));
  const rows = (await readFile(join(root, "docs", page), "utf8")).matchAll(/^\| (R\d+) \| \S/gm);
  const listed = [...rows].map(([, number]) => number);
  expect(listed.length).toBe(new Set(listed).size);
  expect(new Set(listed)).toEqual(cited);
});
