import { join } from "node:path";
import pg from "pg";
import { ensureDatabase, startEmbeddedPostgres } from "../src/db/embedded/embedded-postgres.ts";
import { progress } from "./report.ts";

/** The PostgreSQL that a benchmark runs on. */
export type Server = { readonly url: string; readonly data_dir: string; stop(): Promise<void> };

/** The embedded server, or the one that BENCH_DATABASE_URL names. */
export async function startServer(): Promise<Server> {
  const data_dir = join(import.meta.dirname, "../.pacioli/bench");
  const given = process.env["BENCH_DATABASE_URL"];
  if (given !== undefined) return { url: given, data_dir, stop: async () => undefined };
  const postgres = await startEmbeddedPostgres({ data_dir, on_progress: progress });
  return { url: postgres.superuser_url, data_dir, stop: () => postgres.stop() };
}

/** Drops what an earlier run left, and its simulator's, and makes an empty database. */
export async function freshDatabase(server: Server, name: string): Promise<string> {
  const client = new pg.Client({ connectionString: server.url });
  await client.connect();
  try {
    await client.query(`drop database if exists ${name} with (force)`);
    await client.query(`drop database if exists ${name}_simulator with (force)`);
  } finally {
    await client.end();
  }
  await ensureDatabase(server.url, name);
  return name;
}

/** The server's URL with another database. */
export function urlOf(server: Server, name: string): string {
  const url = new URL(server.url);
  url.pathname = `/${name}`;
  return url.toString();
}
