/** Rewrites migrations/hashes.json after a migration was added. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { hashMigrations } from "../src/db/migrate.ts";

await writeFile(join(import.meta.dirname, "../migrations/hashes.json"), `${JSON.stringify(await hashMigrations(), undefined, 2)}\n`);
