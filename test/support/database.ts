import { randomBytes } from "node:crypto";
import pg from "pg";
import { Database } from "../../src/db/db.ts";
import { service_role } from "../../src/cli/compose.ts";
import { migrateDatabase } from "../../src/cli/migrate.ts";

/** One statement on the test server's maintenance database. */
export async function onServer(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

export function serverUrl(): string {
  const url = process.env["PACIOLI_TEST_DATABASE_URL"];
  if (url === undefined) throw new Error("tests run through vitest, whose global set-up starts PostgreSQL");
  return url;
}

export type TestDatabase = {
  readonly name: string;
  /** With the owner's rights. */
  readonly url: string;
  /** A pool with the rights of the service. */
  readonly database: Database;
  /** A statement with the owner's rights; give it parameters and read the rows. */
  asOwner(text: string, values?: readonly unknown[]): Promise<pg.QueryResultRow[]>;
  /** A statement with the rights of the service's role. */
  asService(text: string, values?: readonly unknown[]): Promise<pg.QueryResultRow[]>;
  drop(): Promise<void>;
};

/** A migrated database of the test's own: cloned from the template, or on another server made anew. */
export async function createTestDatabase(otherServerUrl?: string): Promise<TestDatabase> {
  const name = `test_${randomBytes(6).toString("hex")}`;
  const server = otherServerUrl ?? serverUrl();
  await onServer(server, `create database ${name} ${otherServerUrl === undefined ? "template pacioli_template" : ""}`);
  const parsed = new URL(server);
  parsed.pathname = `/${name}`;
  const url = parsed.toString();
  if (otherServerUrl !== undefined) await migrateDatabase(url);
  const owner = new pg.Pool({ connectionString: url, max: 2 });
  const service = new pg.Pool({ connectionString: url, max: 2, options: `-c role=${service_role}` });
  // Dropping the database at the end cuts connections that are idle by then.
  for (const pool of [owner, service]) pool.on("error", () => undefined);
  const database = new Database({ url, application_name: "test", connections_max: 8, role: service_role });
  return {
    name, url, database,
    asOwner: async (text, values = []) => (await owner.query(text, [...values])).rows,
    asService: async (text, values = []) => (await service.query(text, [...values])).rows,
    async drop() {
      await database.close();
      await owner.end();
      await service.end();
      await onServer(server, `drop database if exists ${name} with (force)`);
      await onServer(server, `drop database if exists ${name}_simulator with (force)`);
    },
  };
}
