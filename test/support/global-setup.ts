import { join } from "node:path";
import { ensureDatabase, startEmbeddedPostgres } from "../../src/db/embedded/embedded-postgres.ts";
import { migrateDatabase } from "../../src/cli/migrate.ts";
import { onServer } from "./database.ts";

/** The database that every test's own one is cloned from. */
export const template_database = "pacioli_template";

/**
 * Starts the embedded PostgreSQL once for the whole run and makes the template. It does not wait for the disk:
 * dropping the database of each file would write all that the others have changed.
 * `PACIOLI_TEST_DATABASE_URL` names another server to use (its login must be allowed to make databases).
 */
export default async function setup(): Promise<() => Promise<void>> {
  const given = process.env["PACIOLI_TEST_DATABASE_URL"];
  const postgres =
    given === undefined
      ? await startEmbeddedPostgres({
          data_dir: join(import.meta.dirname, "../../.pacioli/test"),
          is_durable: false,
        })
      : undefined;
  const server = given ?? postgres?.superuser_url ?? "";
  process.env["PACIOLI_TEST_DATABASE_URL"] = server;
  await onServer(server, `drop database if exists ${template_database} with (force)`);
  await ensureDatabase(server, template_database);
  const template = new URL(server);
  template.pathname = `/${template_database}`;
  await migrateDatabase(template.toString());
  return async () => {
    await postgres?.stop();
  };
}
