import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createTestDatabase, dropDatabase, onServer, serverUrl } from "../../test/support/database.ts";
import { withClient } from "./client.ts";
import { checkSchema, hashMigrations, migrate } from "./migrate.ts";

async function createEmptyDatabase(): Promise<string> {
  const name = `test_empty_${randomBytes(6).toString("hex")}`;
  await onServer(serverUrl(), `create database ${name}`);
  onTestFinished(() => dropDatabase(serverUrl(), name));
  const url = new URL(serverUrl());
  url.pathname = `/${name}`;
  return url.toString();
}

test("two processes that start at once migrate once, and both find the schema complete", async () => {
  const url = await createEmptyDatabase();
  const applied = await Promise.all([migrate(url), migrate(url)]);
  expect(applied.flat().toSorted()).toEqual(Object.keys(await hashMigrations()));
  await checkSchema(url);
  expect(await migrate(url)).toEqual([]);
});

test("a service does not start on a schema that lacks a migration or has one more", async () => {
  const db = await createTestDatabase();
  onTestFinished(() => db.drop());
  await checkSchema(db.url);
  await db.asOwner("insert into schema_migrations (name, run_on) values ('9999_future', now())");
  await expect(checkSchema(db.url)).rejects.toThrow("newer than this version");
  await db.asOwner("delete from schema_migrations where name in ('9999_future', '0015_orders')");
  await expect(checkSchema(db.url)).rejects.toThrow("lacks 0015_orders");
});

test("the committed hashes are those of the migration files", async () => {
  const committed: unknown = JSON.parse(
    await readFile(join(import.meta.dirname, "../../migrations/hashes.json"), "utf8"),
  );
  expect(committed).toEqual(await hashMigrations());
});

test("a lock that another session keeps ends a migration with what to do, and does not hold it for ever", async () => {
  const db = await createTestDatabase();
  onTestFinished(() => db.drop());
  // The second is taken by the library that runs the files.
  for (const lock of ["7220301515", "7241865325823964"]) {
    await withClient(db.service_url, async (client) => {
      await client.query(`select pg_advisory_lock(${lock})`);
      await expect(migrate(db.url, { lock_timeout_ms: 100 }), lock).rejects.toThrow(
        /Another session holds a lock .*pg_terminate_backend/,
      );
    });
  }
  expect(await migrate(db.url, { lock_timeout_ms: 1_000 })).toEqual([]);
});

test("the service's login is told in one sentence that it does not migrate", async () => {
  const db = await createTestDatabase();
  onTestFinished(() => db.drop());
  await expect(migrate(db.service_url)).rejects.toThrow(
    new RegExp(
      `^The login "${new URL(db.service_url).username}" may not change the schema: set MIGRATION_DATABASE_URL to the owner's login\\.$`,
    ),
  );
});

test("an owner who is no superuser migrates too, and keeps large objects as PostgreSQL has them", async () => {
  const url = new URL(await createEmptyDatabase());
  const name = url.pathname.slice(1);
  await onServer(serverUrl(), `create role ${name}_owner login createrole password 'owner'`);
  onTestFinished(() => onServer(serverUrl(), `drop role ${name}_owner`));
  onTestFinished(() => dropDatabase(serverUrl(), name));
  await onServer(serverUrl(), `alter database ${name} owner to ${name}_owner`);
  Object.assign(url, { username: `${name}_owner`, password: "owner" });
  expect(await migrate(url.toString())).toHaveLength(Object.keys(await hashMigrations()).length);
  expect(await migrate(url.toString())).toEqual([]);
});
