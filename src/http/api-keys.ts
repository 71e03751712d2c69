import type { Queryable } from "../db/db.ts";
import { newId } from "../ids.ts";
import { newApiKey } from "./api-key-form.ts";
import { hashApiKey, type Scope } from "./auth.ts";
import { insertApiKey, selectDevelopmentKeys } from "./api-key-queries.ts";

export { revokeApiKey, selectApiKeys } from "./api-key-queries.ts";

/**
 * A new secret key, shown once; only its hash is stored. `admin` is the actor in the audit log (`cli:alice`);
 * `db` has the rights of the owner or of an admin.
 */
export async function createApiKey(
  db: Queryable,
  key: { readonly name: string; readonly scopes: readonly Scope[]; readonly admin: string },
): Promise<{ key_id: string; token: string }> {
  const token = newApiKey();
  const key_id = newId("key");
  const stored = {
    key_id,
    key_hash: hashApiKey(token),
    name: key.name,
    last_four: token.slice(-4),
    scopes: key.scopes,
  };
  await insertApiKey(db, stored, key.admin);
  return { key_id, token };
}

/** Keys that this repository publishes. */
const known_keys = ["sk_dev", "sk_demo", "sk_chaos", "sk_test"];

/**
 * Throws if a development key is active. Earlier versions stored PACIOLI_API_KEY, of any length, under the
 * name "environment", so a database that development had used let everyone in.
 */
export async function checkNoDevelopmentKeys(db: Queryable): Promise<void> {
  const ids = await selectDevelopmentKeys(db, known_keys.map(hashApiKey));
  if (ids.length === 0) return;
  throw new Error(
    `Development keys are in force in this database: ${ids.join(", ")}. ` +
      "Revoke them (`pacioli keys revoke <key_id>`) before production starts.",
  );
}
