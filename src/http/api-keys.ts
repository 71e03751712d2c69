import type { Queryable } from "../db/db.ts";
import { newId } from "../ids.ts";
import { newApiKey } from "./api-key-form.ts";
import { hashApiKey, type Scope } from "./auth.ts";
import { insertApiKey } from "./api-key-queries.ts";

export { revokeApiKey, selectApiKeys } from "./api-key-queries.ts";

/** Lets a key in; only its hash is stored. A short key of development keeps none of its characters. */
export async function admitApiKey(db: Queryable, key: { token: string; name: string; scopes: readonly Scope[] }): Promise<string> {
  const key_id = newId("key");
  const last_four = key.token.length >= 16 ? key.token.slice(-4) : "";
  await insertApiKey(db, { key_id, key_hash: hashApiKey(key.token), name: key.name, last_four, scopes: key.scopes });
  return key_id;
}

/** A new secret key, shown once. */
export async function createApiKey(db: Queryable, name: string, scopes: readonly Scope[]): Promise<{ key_id: string; token: string }> {
  const token = newApiKey();
  return { key_id: await admitApiKey(db, { token, name, scopes }), token };
}
