import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Client } from "pg";
import { runner, type MigrationBuilder, type RunnerOption } from "node-pg-migrate";
import { withClient } from "./client.ts";
import { connectionOf } from "./connection.ts";
import { sqlStateOf } from "./database.ts";
import { findRoles, withRoles, type DatabaseRoles } from "./roles.ts";

type MigrationLoader = Exclude<
  NonNullable<RunnerOption["migrationLoaderStrategies"]>[number]["loader"],
  string
>;
type MigrationUnit = Awaited<ReturnType<MigrationLoader>>[number];

const migrationsFolder = join(import.meta.dirname, "../../migrations");
const migrationsTable = "schema_migrations";
/** Any fixed number: processes that set the rights of one database wait for each other. */
const rights_lock = "7220301515";

/** The functions that make or write large objects. */
const large_object_functions = `lo_create(oid), lo_creat(int), lo_from_bytea(oid, bytea), lo_open(oid, int),
  lo_put(oid, bigint, bytea), lowrite(int, bytea), lo_unlink(oid)`;

/**
 * Brings the schema to the newest version and gives the names of the migrations applied.
 * Two processes may start at once: the second waits on an advisory lock and finds nothing to do.
 * `url` is the owner's: the service's role could not do this.
 */
export async function migrate(
  url: string,
  { lock_timeout_ms = 60_000 }: { readonly lock_timeout_ms?: number } = {},
): Promise<readonly string[]> {
  await assertMigrationsUnchanged();
  const roles = await withClient(url, async (client) => {
    await assertMayMigrate(client);
    return findRoles(client);
  });
  try {
    return await applyMigrations(url, roles, lock_timeout_ms);
  } catch (error) {
    throw explainLockTimeout(error);
  }
}

async function applyMigrations(
  url: string,
  roles: DatabaseRoles,
  lock_timeout_ms: number,
): Promise<readonly string[]> {
  const applied = await runner({
    databaseUrl: { ...connectionOf(url), options: `-c lock_timeout=${lock_timeout_ms}` },
    dir: migrationsFolder,
    ignorePattern: "(\\..*|hashes\\.json)",
    direction: "up",
    migrationsTable,
    singleTransaction: true,
    checkOrder: true,
    advisoryLockMode: "wait",
    migrationLoaderStrategies: [{ extensions: [".sql"], loader: (paths) => loadMigrations(paths, roles) }],
    log: () => undefined,
    // It would print each error's stack; our callers report each error once.
    logger: { debug: silent, info: silent, warn: silent, error: silent },
  });
  await setRights(url, lock_timeout_ms);
  return applied.map((migration) => migration.name);
}

const silent = (): void => undefined;

async function assertMayMigrate(client: Client): Promise<void> {
  const {
    rows: [rights],
  } = await client.query<{ login: string; may: boolean }>(
    "select session_user::text as login, has_schema_privilege('public', 'create') as may",
  );
  if (rights?.may !== true) {
    throw new Error(
      `The login "${rights?.login}" may not change the schema: ` +
        "set MIGRATION_DATABASE_URL to the owner's login.",
    );
  }
}

/** Any login that may connect, the service's too, can hold these locks without limit. */
export function explainLockTimeout(error: unknown): unknown {
  if (!hasLockTimeout(error)) return error;
  return new Error(
    "Another session holds a lock that `migrate` needs. Let another `migrate` finish, or stop the service; " +
      "then run it again. Who holds one: select a.pid, a.usename, a.application_name from pg_locks l join " +
      "pg_stat_activity a using (pid) where l.granted and l.locktype in ('advisory', 'relation') and pid " +
      "<> pg_backend_pid(); and to end it: select pg_terminate_backend(<pid>);",
    { cause: error },
  );
}

const hasLockTimeout = (error: unknown): boolean =>
  sqlStateOf(error) === "55P03" ||
  (error instanceof Error && error.cause !== undefined && hasLockTimeout(error.cause));

async function loadMigrations(paths: readonly string[], roles: DatabaseRoles): Promise<MigrationUnit[]> {
  return Promise.all(
    paths.map(async (path) => {
      const sql = withRoles(await readFile(path, "utf8"), roles);
      return {
        id: path,
        filePaths: [path],
        actions: { up: (builder: MigrationBuilder) => builder.sql(sql), down: false },
      };
    }),
  );
}

/**
 * Lets only the database's own roles connect, and nobody make temporary tables or (if the owner may decide
 * that) large objects. Neither a dump nor a copy of a database has these rights, so each `pacioli migrate`
 * sets them. `url` is the owner's.
 */
export async function setRights(url: string, lock_timeout_ms = 60_000): Promise<void> {
  await withClient(url, async (client) => {
    const { service, admin } = await findRoles(client);
    const {
      rows: [found],
    } = await client.query<{ database: string }>("select current_database() as database");
    const database = client.escapeIdentifier(found?.database ?? "");
    await client.query(`
      begin;
      set local lock_timeout = ${lock_timeout_ms};
      select pg_advisory_xact_lock(${rights_lock});
      revoke all on database ${database} from public;
      grant connect on database ${database} to ${service}, ${admin};
      grant select on ${migrationsTable} to ${service};
      -- They belong to a superuser: for any other owner this is a warning, and large objects stay open.
      revoke execute on function ${large_object_functions} from public;
      commit;`);
    const {
      rows: [open],
    } = await client.query<{ is_open: boolean }>(
      "select has_database_privilege('public', current_database(), 'connect, temporary') as is_open",
    );
    if (open?.is_open === true) {
      throw new Error(
        `Everybody may connect to the database ${database}, and this login cannot change that. ` +
          `Make it the owner: alter database ${database} owner to <the login of MIGRATION_DATABASE_URL>;`,
      );
    }
  });
}

/** Throws unless the database has exactly the migrations of this version. */
export async function checkSchema(url: string): Promise<void> {
  await withClient(url, async (client) => {
    const {
      rows: [table],
    } = await client.query<{ exists: boolean }>("select to_regclass($1) is not null as exists", [
      migrationsTable,
    ]);
    if (table?.exists !== true) throw new Error("The database has no schema yet: run `pacioli migrate`.");
    const { rows } = await client.query<{ name: string }>(`select name from ${migrationsTable} order by id`);
    const wanted = await migrationNames();
    const missing = wanted.filter((name) => !rows.some((row) => row.name === name));
    if (missing.length > 0)
      throw new Error(`The database lacks ${missing.join(", ")}: run \`pacioli migrate\`.`);
    if (rows.length > wanted.length)
      throw new Error("The database is newer than this version of the service: deploy the newer one.");
  });
}

async function migrationNames(): Promise<string[]> {
  const files = await readdir(migrationsFolder);
  return files
    .filter((file) => file.endsWith(".sql"))
    .map((file) => file.slice(0, -".sql".length))
    .toSorted();
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
  const committed = JSON.parse(await readFile(join(migrationsFolder, "hashes.json"), "utf8")) as Record<
    string,
    string
  >;
  const found = await hashMigrations();
  const changed = Object.keys({ ...committed, ...found }).filter((name) => committed[name] !== found[name]);
  if (changed.length > 0) {
    throw new Error(
      `Migration files differ from migrations/hashes.json: ${changed.join(", ")}. ` +
        "Write a new migration, then run `npm run hash-migrations`.",
    );
  }
}
