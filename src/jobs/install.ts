import pg from "pg";
import { PgBoss } from "pg-boss";
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
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(`
      grant usage on schema ${schema} to pacioli_service;
      grant select, insert, update, delete on all tables in schema ${schema} to pacioli_service;
      grant usage, select on all sequences in schema ${schema} to pacioli_service;
      grant execute on all functions in schema ${schema} to pacioli_service;`);
  } finally {
    await client.end();
  }
}
