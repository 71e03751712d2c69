import type { Config } from "../config/config.ts";
import { messageOf } from "../errors.ts";
import { checkLogin, ensureServiceLogin, sqlStateOf } from "../db/db.ts";
import { startEmbeddedPostgres } from "../db/embedded/embedded-postgres.ts";

/**
 * Runs `work` with the service's login to the configured database. If none is configured, the embedded one
 * runs meanwhile.
 */
export async function withServiceDatabase(
  config: Config,
  work: (url: string) => Promise<void>,
): Promise<void> {
  if (config.database_url === undefined)
    return withEmbedded(config, async (url) => work(await ensureServiceLogin(url)));
  const url = config.database_url;
  await namingVariable("DATABASE_URL", () => checkLogin(url));
  return work(url);
}

/** The same with the owner's login: for the schema and for API keys. */
export async function withOwnerDatabase(config: Config, work: (url: string) => Promise<void>): Promise<void> {
  const url = config.migration_database_url ?? config.database_url;
  if (url === undefined) return withEmbedded(config, work);
  const variable = config.migration_database_url === undefined ? "DATABASE_URL" : "MIGRATION_DATABASE_URL";
  return namingVariable(variable, () => work(url));
}

/** SQLSTATEs of a login that the server does not take: a wrong password, no such login, no such database. */
const refusedLogins = new Set(["28P01", "28000", "3D000"]);

/** Adds to such an error which variable to correct: the server does not know that there are two. */
export async function namingVariable<Result>(
  variable: "DATABASE_URL" | "MIGRATION_DATABASE_URL",
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!refusedLogins.has(sqlStateOf(error) ?? "")) throw error;
    const settings = variable === "DATABASE_URL" ? `${variable} (or the DB_… settings)` : variable;
    throw new Error(`PostgreSQL refused the login: ${messageOf(error)}. Correct ${settings}.`, {
      cause: error,
    });
  }
}

async function withEmbedded(config: Config, work: (url: string) => Promise<void>): Promise<void> {
  const postgres = await startEmbeddedPostgres({ data_dir: config.data_dir });
  try {
    const url = new URL(postgres.superuser_url);
    url.pathname = "/pacioli";
    await work(url.toString());
  } finally {
    await postgres.stop();
  }
}
