import type { Queryable, Timestamp } from "../db/db.ts";

export type ApiKeyRow = {
  readonly key_id: string;
  readonly name: string;
  readonly last_four: string;
  readonly scopes: readonly string[];
  readonly revoked_at: Timestamp | null;
};

const columns = "key_id, name, last_four, scopes, revoked_at";

/** A key that is not revoked. */
export async function findApiKey(db: Queryable, hash: Buffer): Promise<ApiKeyRow | undefined> {
  const [row] = await db.query<ApiKeyRow>(
    `select ${columns} from api_keys where key_hash = $1 and revoked_at is null`,
    [hash],
  );
  return row;
}

/** Adds a key and its row of the audit log. `admin`: the person who makes it. */
export async function insertApiKey(
  db: Queryable,
  key: { key_id: string; key_hash: Buffer; name: string; last_four: string; scopes: readonly string[] },
  admin: string,
): Promise<void> {
  await db.query("select api_keys_create($1, $2, $3, $4, $5, $6)", [
    key.key_id,
    key.key_hash,
    key.name,
    key.last_four,
    key.scopes,
    admin,
  ]);
}

export function selectApiKeys(db: Queryable): Promise<ApiKeyRow[]> {
  return db.query<ApiKeyRow>(`select ${columns} from api_keys order by created_at desc, key_id`);
}

/** Whether there was such a key in force. `admin`: the person who revokes it. */
export async function revokeApiKey(db: Queryable, keyId: string, admin: string): Promise<boolean> {
  const [row] = await db.query<{ was_in_force: boolean }>("select api_keys_revoke($1, $2) as was_in_force", [
    keyId,
    admin,
  ]);
  return row?.was_in_force === true;
}

/** Keys in force that were made for development: everyone knows them, or they may have a single character. */
export async function selectDevelopmentKeys(db: Queryable, hashes: readonly Buffer[]): Promise<string[]> {
  const rows = await db.query<{ key_id: string }>(
    `select key_id from api_keys
      where revoked_at is null and (key_hash = any ($1) or name = 'environment')
      order by key_id`,
    [hashes],
  );
  return rows.map(({ key_id }) => key_id);
}
