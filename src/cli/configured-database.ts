import type { Config } from "../config.ts";
import { checkLogin, ensureServiceLogin } from "../db/db.ts";
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
  await checkLogin(config.database_url);
  return work(config.database_url);
}

/** The same with the owner's login: for the schema and for API keys. */
export async function withOwnerDatabase(config: Config, work: (url: string) => Promise<void>): Promise<void> {
  const url = config.migration_database_url ?? config.database_url;
  return url === undefined ? withEmbedded(config, work) : work(url);
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
