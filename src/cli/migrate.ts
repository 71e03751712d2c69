import { explainLockTimeout, migrate } from "../db/db.ts";
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
  return applied;
}
