import { globSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { expect, test } from "vitest";
import { loadConfig } from "../../src/config/config.ts";

const root = join(import.meta.dirname, "../..");
const example = parseEnv(await readFile(join(root, ".env.example"), "utf8"));

test(".env.example has every setting that the configuration reads, and no other", async () => {
  const files = [
    "config",
    "crash-point-settings",
    "database-address",
    "payment-settings",
    "psp-accounts",
    "routing-settings",
  ].map((name) => `src/config/${name}.ts`);
  files.push(...globSync("src/psp/*/settings.ts", { cwd: root }));
  const source = (await Promise.all(files.map((file) => readFile(join(root, file), "utf8")))).join("\n");
  const read = [...source.matchAll(/\bread\.\w+\(\s*"([A-Z_]+)"/g)].map(([, name]) => String(name));
  expect(read.length).toBeGreaterThan(30);
  expect(Object.keys(example).toSorted()).toEqual([...new Set(read)].toSorted());
});

test("the values in .env.example are the defaults", () => {
  const secret_key = "the same in both";
  expect({ ...loadConfig("development", example), secret_key }).toEqual({
    ...loadConfig("development", {}),
    secret_key,
  });
});
