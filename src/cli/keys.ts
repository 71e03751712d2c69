import { loadConfig } from "../config/config.ts";
import { sqlStateOf, type Database } from "../db/db.ts";
import { messageOf } from "../errors.ts";
import { createApiKey, revokeApiKey, selectApiKeys } from "../http/http.ts";
import { cliAuthor } from "./author.ts";
import { openDatabase } from "./compose.ts";
import { withOwnerDatabase } from "./configured-database.ts";

/** `pacioli keys create`: prints the key; it is never shown again. */
export function createKey(
  name: string,
  options: { readonly scopes: string; readonly as?: string },
): Promise<void> {
  const scopes = options.scopes.split(",").map((scope) => {
    if (scope === "read" || scope === "write" || scope === "admin") return scope;
    throw new Error(`"${scope}" is not a scope: use read, write or admin.`);
  });
  return withAdminDatabase(async (database) => {
    const { key_id, token } = await createApiKey(database, {
      name,
      scopes,
      admin: cliAuthor(options.as).actor,
    });
    process.stdout.write(
      `${token}\n${key_id} with ${scopes.join(", ")}: copy the key above; it is not shown again.\n`,
    );
  });
}

export function listKeys(): Promise<void> {
  return withAdminDatabase(async (database) => {
    for (const key of await selectApiKeys(database)) {
      const state = key.revoked_at === null ? "active" : `revoked ${key.revoked_at}`;
      process.stdout.write(
        `${key.key_id}  ${key.name}  …${key.last_four}  ${key.scopes.join(",")}  ${state}\n`,
      );
    }
  });
}

export function revokeKey(keyId: string, options: { readonly as?: string }): Promise<void> {
  return withAdminDatabase(async (database) => {
    if (!(await revokeApiKey(database, keyId, cliAuthor(options.as).actor))) {
      throw new Error(`There is no active key ${keyId}; see \`pacioli keys list\`.`);
    }
    process.stdout.write(`${keyId} is revoked and stops working within five seconds.\n`);
  });
}

async function withAdminDatabase(work: (database: Database) => Promise<void>): Promise<void> {
  await withOwnerDatabase(loadConfig("development"), async (url) => {
    const database = openDatabase(url, 2, "pacioli-cli");
    try {
      await work(database).catch(explainMissingRight);
    } finally {
      await database.close();
    }
  });
}

/** 42501: only the owner, and members of the admin's role, may run the functions that make keys. */
function explainMissingRight(error: unknown): never {
  if (sqlStateOf(error) !== "42501") throw error;
  throw new Error(
    `This login may not make API keys (${messageOf(error)}): ` +
      "set MIGRATION_DATABASE_URL to the owner's login, or an admin's.",
    { cause: error },
  );
}
