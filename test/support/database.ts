import { randomBytes } from "node:crypto";
import pg from "pg";
import { Database, ensureServiceLogin, findRoles, withClient } from "../../src/db/db.ts";
import { setRights } from "../../src/db/migrate.ts";
import type { Scope } from "../../src/http/auth.ts";
import { createApiKey, revokeApiKey } from "../../src/http/http.ts";
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
  /** The service's login. */
  readonly service_url: string;
  /** The role that the service's login is a member of. */
  readonly service_role: string;
  /** A pool of the service's login. */
  readonly database: Database;
  /** A statement with the owner's rights; give it parameters and read the rows. */
  asOwner(text: string, values?: readonly unknown[]): Promise<pg.QueryResultRow[]>;
  /** A statement of the service's login. */
  asService(text: string, values?: readonly unknown[]): Promise<pg.QueryResultRow[]>;
  /** An API key, made with the owner's rights: the service's login cannot. */
  createKey(name: string, scopes: readonly Scope[]): Promise<{ key_id: string; token: string }>;
  revokeKey(keyId: string): Promise<boolean>;
  drop(): Promise<void>;
};

/** Drops a database and the roles that its migrations made; nothing happens where there is none. */
export async function dropDatabase(server: string, name: string): Promise<void> {
  await onServer(server, `drop database if exists ${name} with (force)`);
  await onServer(server, `drop role if exists ${name}_app, ${name}_service, ${name}_admin`);
}

/** A migrated database of the test's own: cloned from the template, or on another server made anew. */
export async function createTestDatabase(otherServerUrl?: string): Promise<TestDatabase> {
  const name = `test_${randomBytes(6).toString("hex")}`;
  const server = otherServerUrl ?? serverUrl();
  // Copied as files, which a server that does not wait for the disk does in half the processor's time.
  const copying = otherServerUrl === undefined ? "template pacioli_template strategy file_copy" : "";
  await onServer(server, `create database ${name} ${copying}`);
  const parsed = new URL(server);
  parsed.pathname = `/${name}`;
  const url = parsed.toString();
  if (otherServerUrl === undefined) await setRights(url);
  else await migrateDatabase(url);
  const service_url = await ensureServiceLogin(url);
  const { service: service_role } = await withClient(url, findRoles);
  const owner = new pg.Pool({ connectionString: url, max: 2 });
  const service = new pg.Pool({ connectionString: service_url, max: 2 });
  // Dropping the database at the end cuts connections that are idle by then.
  for (const pool of [owner, service]) pool.on("error", () => undefined);
  const database = new Database({ url: service_url, application_name: "test", connections_max: 8 });
  const asOwner = async (text: string, values: readonly unknown[] = []): Promise<pg.QueryResultRow[]> =>
    (await owner.query(text, [...values])).rows;
  const ownerDatabase = new Database({ url, application_name: "test-owner", connections_max: 1 });
  return {
    name,
    url,
    service_url,
    service_role,
    database,
    asOwner,
    asService: async (text, values = []) => (await service.query(text, [...values])).rows,
    createKey: (key_name, scopes) =>
      createApiKey(ownerDatabase, { name: key_name, scopes, admin: "cli:test" }),
    revokeKey: (keyId) => revokeApiKey(ownerDatabase, keyId, "cli:test"),
    async drop() {
      await database.close();
      await ownerDatabase.close();
      await owner.end();
      await service.end();
      await dropDatabase(server, name);
      await onServer(server, `drop database if exists ${name}_simulator with (force)`);
    },
  };
}
