/**
 * Removes what the commands have made: data folders and the databases that they name elsewhere (root's, where PostgreSQL
 * may not enter the folder). Plain JavaScript, for it must work without an installation.
 */
import { existsSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

const dataDir = ".pacioli";

for (const file of existsSync(dataDir) ? readdirSync(dataDir, { recursive: true }) : []) {
  if (!/(^|[\\/])location\.json$/.test(file)) continue;
  const { parent_dir } = JSON.parse(readFileSync(join(dataDir, file), "utf8"));
  // Made by us for this folder alone: named by a digest of its path.
  if (/[\\/][0-9a-f]{16}$/.test(parent_dir)) remove(parent_dir);
}
for (const folder of [dataDir, "coverage"]) remove(folder);

function remove(folder) {
  if (!existsSync(folder)) return;
  process.stdout.write(`removing ${folder}\n`);
  rmSync(folder, { recursive: true, force: true });
}
