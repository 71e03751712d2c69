import type { Config } from "../config.ts";
import { startEmbeddedPostgres } from "../db/embedded/embedded-postgres.ts";

/** Runs `work` with the URL of the configured database, starting the embedded one for as long where none is configured. */
export async function withConfiguredDatabase(config: Config, work: (url: string) => Promise<void>): Promise<void> {
  if (config.database_url !== undefined) return work(config.database_url);
  const postgres = await startEmbeddedPostgres({ data_dir: config.data_dir });
  try {
    const url = new URL(postgres.superuser_url);
    url.pathname = "/pacioli";
    await work(url.toString());
  } finally {
    await postgres.stop();
  }
}
