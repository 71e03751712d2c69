import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Type } from "typebox";
import { Value } from "typebox/value";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findBreaches, textRules, type Breach } from "../../scripts/house-rules.ts";
import { programFolders } from "../../scripts/rooms.ts";
import { linterPlants, checkerPlants, exceptions } from "./planted-breaches.ts";

const root = join(import.meta.dirname, "../..");

const LintReport = Type.Object({
  diagnostics: Type.Array(
    Type.Object({
      message: Type.String(),
      code: Type.Optional(Type.String()),
      help: Type.Optional(Type.String()),
      filename: Type.String(),
    }),
  ),
});
let folder: string;
let breaches: readonly Breach[];

/** What the linter says, by file. */
const said = new Map<string, string[]>();
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "pacioli-lint-"));
  for (const path of [
    "src",
    "simulator/src",
    ...programFolders,
    "scripts",
    "oxlint.config.ts",
    "tsconfig.json",
    "package.json",
  ]) {
    await cp(join(root, path), join(folder, path), {
      recursive: true,
      filter: (source) => !source.endsWith(".test.ts"),
    });
  }
  await symlink(join(root, "node_modules"), join(folder, "node_modules"));
  // A room without a door, also on the day when this one has got its own.
  await rm(join(folder, "src/events"), { recursive: true, force: true });
  for (const { file, text } of [...checkerPlants, ...linterPlants]) {
    await mkdir(dirname(join(folder, file)), { recursive: true });
    await writeFile(join(folder, file), text);
  }
  breaches = findBreaches(folder);
  const linter = [
    join(root, "node_modules/oxlint/bin/oxlint"),
    "--format=json",
    ...linterPlants.map(({ file }) => file),
    ...exceptions,
  ];
  const report = Value.Parse(LintReport, JSON.parse(await output(linter)));
  for (const { message, code = "", help = "", filename } of report.diagnostics) {
    said.set(filename, [...(said.get(filename) ?? []), `${code} ${message} ${help}`]);
  }
}, 60_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

/** What a program of Node prints in the planted tree, whatever its exit code. */
function output(command: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    execFile(process.execPath, [...command], { cwd: folder, maxBuffer: 50_000_000 }, (_error, stdout) => {
      resolve(stdout);
    });
  });
}

describe("the linter", () => {
  test.each(linterPlants)("refuses $file", ({ file, said: expected }) => {
    expect(said.get(file)?.join("\n")).toMatch(new RegExp(expected, "m"));
  });

  test.each(exceptions)("leaves %s in peace", (file) => {
    expect(existsSync(join(folder, file))).toBe(true);
    expect((said.get(file) ?? []).filter((line) => line.includes("House rule"))).toEqual([]);
  });
});

describe("the house's own rules", () => {
  test.each(checkerPlants)("$rule refuses $file", ({ rule, file }) => {
    expect(breaches.some((breach) => breach.rule === rule && file.startsWith(breach.file))).toBe(true);
  });

  test("each has a planted breach", () => {
    expect(new Set(checkerPlants.map(({ rule }) => rule))).toEqual(
      new Set(["rooms", ...textRules.map(({ name }) => name)]),
    );
  });

  test("say nothing about files without a planted breach", () => {
    const planted = [...checkerPlants, ...linterPlants].map(({ file }) => file);
    expect(breaches.filter((breach) => !planted.some((file) => file.startsWith(breach.file)))).toEqual([]);
  });

  test("tell file, line, rule and advice, and end with a code that stops the build", async () => {
    const command = join(root, "scripts/house-rules.ts");
    expect(await output([command, folder])).toMatch(
      /^src\/payments\/planted-template\.ts:3 {2}house rule "sql": SQL stands only in .+$/m,
    );
    await expect(
      new Promise((resolve, reject) => {
        execFile(process.execPath, [command, folder], (error) => {
          if (error === null) resolve("went through");
          else reject(error);
        });
      }),
    ).rejects.toMatchObject({ code: 1 });
  });
});
