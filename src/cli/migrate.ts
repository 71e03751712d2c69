import { beginEpochIfRestored, Database, explainLockTimeout, migrate } from "../db/db.ts";
import { prepareEvents } from "../events/events.ts";
import { installJobs } from "../jobs/jobs.ts";

/**
 * Brings the schema and the job queues up to date; safe to run from two processes at once. Gives the
 * migrations applied.
 */
export async function migrateDatabase(ownerUrl: string): Promise<readonly string[]> {
  const applied = await migrate(ownerUrl);
  await installJobs(ownerUrl).catch((error: unknown) => {
    throw explainLockTimeout(error);
  });
  await beginEpochIfRestored(ownerUrl);
  const database = new Database({ url: ownerUrl, application_name: "pacioli-migrate", connections_max: 1 });
  try {
    await prepareEvents(database);
  } catch (error) {
    throw explainLockTimeout(error);
  } finally {
    await database.close();
  }
  return applied;
}
