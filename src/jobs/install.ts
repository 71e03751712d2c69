import { PgBoss } from "pg-boss";
import { findRoles, withClient } from "../db/db.ts";
import { queueNames, queueSettings } from "./queues.ts";

export const schema = "pgboss";

/** Makes or upgrades pg-boss's schema and our queues, and lets the service's role use them. `url` is the owner's. */
export async function installJobs(url: string): Promise<void> {
  const boss = new PgBoss({ connectionString: url, schema, supervise: false, schedule: false, max: 2 });
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

async function grantToService(url: string): Promise<void> {
  await withClient(url, async (client) => {
    const { service } = await findRoles(client);
    await client.query(`
      grant usage on schema ${schema} to ${service};
      grant select, insert, update, delete on all tables in schema ${schema} to ${service};
      grant usage, select on all sequences in schema ${schema} to ${service};
      grant execute on all functions in schema ${schema} to ${service};`);
  });
}
