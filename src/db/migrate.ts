import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { runner } from "node-pg-migrate";
import pg from "pg";

const migrationsFolder = join(import.meta.dirname, "../../migrations");
const migrationsTable = "schema_migrations";

/**
 * Brings the schema to the newest version and gives the names of the migrations applied.
 * Two processes may start at once: the second waits on an advisory lock and finds nothing to do.
 * `url` is the owner's: the service's role could not do this.
 */
export async function migrate(url: string): Promise<readonly string[]> {
  await assertMigrationsUnchanged();
  const applied = await runner({
    databaseUrl: { connectionString: url, options: "-c lock_timeout=60000" },
    dir: migrationsFolder,
    ignorePattern: "(\\..*|hashes\\.json)",
    direction: "up",
    migrationsTable,
    singleTransaction: true,
    checkOrder: true,
    advisoryLockMode: "wait",
    log: () => undefined,
  });
  await grantReadOfVersions(url);
  return applied.map((migration) => migration.name);
}

/** The service checks at start that it fits the schema. */
async function grantReadOfVersions(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(`grant select on ${migrationsTable} to pacioli_service`);
  } finally {
    await client.end();
  }
}

/** Errors unless the database has exactly the migrations of this version. */
export async function checkSchema(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows: [table] } = await client.query<{ exists: boolean }>("select to_regclass($1) is not null as exists", [migrationsTable]);
    if (table?.exists !== true) throw new Error("The database has no schema yet: run `pacioli migrate`.");
    const { rows } = await client.query<{ name: string }>(`select name from ${migrationsTable} order by id`);
    const wanted = await migrationNames();
    const missing = wanted.filter((name) => !rows.some((row) => row.name === name));
    if (missing.length > 0) throw new Error(`The database lacks ${missing.join(", ")}: run \`pacioli migrate\`.`);
    if (rows.length > wanted.length) throw new Error("The database is newer than this version of the service: deploy the newer one.");
  } finally {
    await client.end();
  }
}

async function migrationNames(): Promise<string[]> {
  const files = await readdir(migrationsFolder);
  return files.filter((file) => file.endsWith(".sql")).map((file) => file.slice(0, -".sql".length)).toSorted();
}

/** The SHA-256 of every migration file, by name. */
export async function hashMigrations(): Promise<Record<string, string>> {
  const hashes: Record<string, string> = {};
  for (const name of await migrationNames()) {
    const text = await readFile(join(migrationsFolder, `${name}.sql`));
    hashes[name] = createHash("sha256").update(text).digest("hex");
  }
  return hashes;
}

/** node-pg-migrate keeps no checksums, so an edited, already applied file would pass unnoticed. */
async function assertMigrationsUnchanged(): Promise<void> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- scripts/hash-migrations.ts writes it
  const committed = JSON.parse(await readFile(join(migrationsFolder, "hashes.json"), "utf8")) as Record<string, string>;
  const found = await hashMigrations();
  const changed = Object.keys({ ...committed, ...found }).filter((name) => committed[name] !== found[name]);
  if (changed.length > 0) {
    throw new Error(`Migration files differ from migrations/hashes.json: ${changed.join(", ")}. Write a new migration, then run \`npm run hash-migrations\`.`);
  }
}
