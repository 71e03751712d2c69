import { setTimeout as sleep } from "node:timers/promises";
import { Client, DatabaseError } from "pg";

/**
 * SQLSTATE of `create database` for a name that exists, and of losing a race for it to a creator without the
 * lock.
 */
const DATABASE_EXISTS = new Set(["42P04", "23505"]);

/**
 * Makes creators of databases wait for each other; the lock goes with the session. Any fixed number would do.
 */
const CREATION_LOCK = "7220301514";

/** The superuser's connection URL. The password is URL-safe by its making. */
export function makeSuperuserUrl(port: number, password: string): string {
  return `postgres://postgres:${password}@127.0.0.1:${port}/postgres`;
}

/** The folder of the cluster that answers at this URL, or why none does. */
export async function askDataDirectory(
  url: string,
): Promise<{ answer: "is"; data_directory: string } | { answer: "refused_password" } | { answer: "none" }> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  // A server that goes away while we ask ends the connection a second time, as an event.
  client.on("error", () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ data_directory: string }>("show data_directory");
    return { answer: "is", data_directory: rows[0]?.data_directory ?? "" };
  } catch (error) {
    const isRefused = error instanceof DatabaseError && error.code === "28P01";
    return { answer: isRefused ? "refused_password" : "none" };
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** How long a connection that was just closed may still be counted by the server. */
const CLOSING_SECONDS = 1;

/** Whether others are connected to the server; one that does not answer has nobody. */
export async function hasOtherClients(url: string): Promise<boolean> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  client.on("error", () => undefined);
  try {
    await client.connect();
    const deadline = performance.now() + CLOSING_SECONDS * 1_000;
    for (;;) {
      const { rows } = await client.query<{ count: number }>(
        `select count(*)::int as count
           from pg_stat_activity
          where backend_type = 'client backend' and pid <> pg_backend_pid()`,
      );
      if ((rows[0]?.count ?? 0) === 0) return false;
      if (performance.now() > deadline) return true;
      await sleep(50);
    }
  } catch (error) {
    if (error instanceof Error) return false;
    throw error;
  } finally {
    await client.end().catch(() => undefined);
  }
}

/**
 * Creates the database `name` unless it exists. Any number of callers may ask for it at once.
 *
 * @param superuserUrl a connection URL of a role that may create databases
 */
export async function ensureDatabase(superuserUrl: string, name: string): Promise<void> {
  const client = new Client({ connectionString: superuserUrl, connectionTimeoutMillis: 10_000 });
  await client.connect();
  try {
    await client.query("select pg_advisory_lock($1)", [CREATION_LOCK]);
    const { rowCount } = await client.query("select from pg_database where datname = $1", [name]);
    if (rowCount === 0) await client.query(`create database ${client.escapeIdentifier(name)}`);
  } catch (error) {
    if (!(error instanceof DatabaseError && DATABASE_EXISTS.has(error.code ?? ""))) throw error;
  } finally {
    await client.end();
  }
}
