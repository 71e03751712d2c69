import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type pg from "pg";
import { onTestFinished } from "vitest";
import { withClient } from "../../src/db/db.ts";
import { onServer, serverUrl, type TestDatabase } from "./database.ts";

/** What PostgreSQL says where a right is missing. */
export const refused = { code: "42501" };
const password = randomBytes(16).toString("hex");

/** The address of a database on the test server, for a login of `makeLogin`. */
export function urlOf(database: string, login?: string): string {
  const url = new URL(serverUrl());
  url.pathname = `/${database}`;
  if (login !== undefined) Object.assign(url, { username: login, password });
  return url.toString();
}

/** A login for the length of a test, with these attributes and memberships. */
export async function makeLogin(db: TestDatabase, options: string): Promise<string> {
  const name = `test_login_${randomBytes(6).toString("hex")}`;
  await onServer(serverUrl(), `create role ${name} login password '${password}' ${options}`);
  onTestFinished(async () => {
    await db.asOwner(`reassign owned by ${name} to postgres`);
    await db.asOwner(`drop owned by ${name}`);
    await onServer(serverUrl(), `drop role ${name}`);
  });
  return name;
}

export async function query(url: string, text: string): Promise<pg.QueryResultRow[]> {
  return withClient(url, async (client) => (await client.query(text)).rows);
}

/** What a program needs of our environment; the compiled code spares it half of its start. */
const { PATH, NODE_COMPILE_CACHE } = process.env;

/** The service's program, until it ends. */
export function runMain(
  args: readonly string[],
  environment: Record<string, string>,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, "../../src/main.ts"), ...args], {
    env: { PATH, NODE_COMPILE_CACHE, LOG_LEVEL: "fatal", ...environment },
  });
  const output = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk) => (output.stdout += String(chunk)));
  child.stderr.on("data", (chunk) => (output.stderr += String(chunk)));
  return new Promise((resolve) => child.once("exit", (code) => resolve({ code, ...output })));
}
