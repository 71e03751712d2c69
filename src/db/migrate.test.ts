import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createTestDatabase, dropDatabase, onServer, serverUrl } from "../../test/support/database.ts";
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
  await db.asOwner("delete from schema_migrations where name in ('9999_future', '0006_payments')");
  await expect(checkSchema(db.url)).rejects.toThrow("lacks 0006_payments");
});

test("the committed hashes are those of the migration files", async () => {
  const committed: unknown = JSON.parse(
    await readFile(join(import.meta.dirname, "../../migrations/hashes.json"), "utf8"),
  );
  expect(committed).toEqual(await hashMigrations());
});
