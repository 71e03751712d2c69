import { createHmac, randomBytes } from "node:crypto";
import pg from "pg";
import { withClient } from "./client.ts";
import { findRoles, loginOfService } from "./roles.ts";

/**
 * The URL of the service's login to a migrated database; the login is made if it is missing. For development
 * and tests: in production an administrator makes it. `superuserUrl` has a login that may make roles.
 */
export async function ensureServiceLogin(superuserUrl: string): Promise<string> {
  const { service } = await withClient(superuserUrl, findRoles);
  const login = loginOfService(service);
  const url = new URL(superuserUrl);
  // Derived from the superuser's password: processes that share a server agree on it, and only those that
  // know the superuser's password know it.
  const password =
    url.password === ""
      ? randomBytes(24).toString("base64url")
      : createHmac("sha256", decodeURIComponent(url.password)).update(login).digest("base64url");
  url.username = login;
  url.password = password;
  if (!(await canLogIn(url.toString())))
    await withClient(superuserUrl, (client) => makeLogin(client, { login, password, service }));
  return url.toString();
}

async function canLogIn(url: string): Promise<boolean> {
  try {
    await withClient(url, async () => undefined);
    return true;
  } catch (error) {
    // 28P01: wrong password; 28000: no such login; 42501: no right to connect.
    if (error instanceof pg.DatabaseError && ["28P01", "28000", "42501"].includes(error.code ?? ""))
      return false;
    throw error;
  }
}

async function makeLogin(
  client: pg.Client,
  { login, password, service }: { login: string; password: string; service: string },
): Promise<void> {
  const secret = client.escapeLiteral(password);
  await client
    .query(`create role ${login} login password ${secret} in role ${service}`)
    .catch(async (error: unknown) => {
      // 42710: it exists; 23505: another process has just made it.
      if (!(error instanceof pg.DatabaseError && ["42710", "23505"].includes(error.code ?? ""))) throw error;
      await client.query(`alter role ${login} login password ${secret}`);
      await client.query(`grant ${service} to ${login}`);
    });
}
