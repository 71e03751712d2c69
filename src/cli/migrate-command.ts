import { loadConfig } from "../config/config.ts";
import { withOwnerDatabase } from "./configured-database.ts";
import { ensureDatabase } from "../db/embedded/embedded-postgres.ts";
import { migrateDatabase } from "./migrate.ts";

/** `pacioli migrate`. */
export async function migrateCommand(): Promise<void> {
  const config = loadConfig("development");
  await withOwnerDatabase(config, async (url) => {
    if ((config.migration_database_url ?? config.database_url) === undefined)
      await ensureDatabase(url.replace(/\/pacioli$/, "/postgres"), "pacioli");
    const applied = await migrateDatabase(url);
    process.stdout.write(
      applied.length === 0 ? "The schema is up to date.\n" : `Applied ${applied.join(", ")}.\n`,
    );
  });
}
