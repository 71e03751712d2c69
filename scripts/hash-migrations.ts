/** Rewrites migrations/hashes.json after a migration was added; with `--check` only says whether it is right. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { hashMigrations } from "../src/db/migrate.ts";

const path = join(import.meta.dirname, "../migrations/hashes.json");
const right = `${JSON.stringify(await hashMigrations(), undefined, 2)}\n`;
if (!process.argv.includes("--check")) {
  await writeFile(path, right);
} else if ((await readFile(path, "utf8")) === right) {
  process.stdout.write("The hashes of the migrations are right.\n");
} else {
  process.stderr.write(
    "migrations/hashes.json does not fit the files. Never change a migration that was released: write a new one, then run `npm run hash-migrations`.\n",
  );
  process.exitCode = 1;
}
