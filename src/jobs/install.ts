import { PgBoss } from "pg-boss";
import { connectionOf, findRoles, withClient } from "../db/db.ts";
import { queueNames, queueSettings } from "./queues.ts";

export const schema = "pgboss";

/**
 * Makes or upgrades pg-boss's schema and our queues, and lets the service's role use them. `url` is the
 * owner's.
 */
export async function installJobs(url: string): Promise<void> {
  const boss = new PgBoss({
    ...connectionOf(url),
    options: "-c lock_timeout=60000",
    schema,
    supervise: false,
    schedule: false,
    max: 2,
  });
  await boss.start();
  try {
    for (const name of queueNames.toReversed()) {
      const existing = await boss.getQueue(name);
      if (existing === null) await boss.createQueue(name, queueSettings[name]);
      else await boss.updateQueue(name, queueSettings[name]);
    }
  } finally {
    await boss.stop({ graceful: false });
  }
  await grantToService(url);
}

/** Jobs and statistics about them. */
const writtenTables = ["job", "job_common", "job_dependency", "queue_stats", "warning"];
/** When pg-boss last ran each of its rounds, and how many jobs it found. */
const writtenColumns = {
  version: ["cron_on", "bam_on", "flow_on", "reindex_on", "monitor_backoff_on"],
  queue: [
    "deferred_count",
    "queued_count",
    "ready_count",
    "active_count",
    "failed_count",
    "total_count",
    "created_delta",
    "completed_delta",
    "failed_delta",
    "delta_on",
    "delta_seconds",
    "ready_history",
    "singletons_active",
    "monitor_claim_on",
    "monitor_on",
    "maintain_on",
  ],
};

/**
 * pg-boss keeps statements and table names in its own tables, and runs them with the owner's login at each
 * `pacioli migrate`. With full rights on those tables, the service's login could plant a command there and
 * become the owner.
 */
async function grantToService(url: string): Promise<void> {
  await withClient(url, async (client) => {
    const { service } = await findRoles(client);
    const columns = Object.entries(writtenColumns).map(
      ([table, names]) => `grant update (${names.join(", ")}) on ${schema}.${table} to ${service};`,
    );
    const tables = writtenTables.map((table) => `${schema}.${table}`).join(", ");
    await client.query(`
      revoke all on all tables in schema ${schema} from ${service};
      grant usage on schema ${schema} to ${service};
      grant select on all tables in schema ${schema} to ${service};
      grant insert, update, delete on ${tables} to ${service};
      ${columns.join("\n")}
      grant usage, select on all sequences in schema ${schema} to ${service};
      grant execute on all functions in schema ${schema} to ${service};`);
  });
}
