import type { Queryable, Timestamp } from "../db/db.ts";

export type ApiKeyRow = {
  readonly key_id: string;
  readonly name: string;
  readonly last_four: string;
  readonly scopes: readonly string[];
  readonly created_at: Timestamp;
  readonly revoked_at: Timestamp | null;
};

const columns = "key_id, name, last_four, scopes, created_at, revoked_at";

/** A key that is not revoked. */
export async function findApiKey(db: Queryable, hash: Buffer): Promise<ApiKeyRow | undefined> {
  const [row] = await db.query<ApiKeyRow>(`select ${columns} from api_keys where key_hash = $1 and revoked_at is null`, [hash]);
  return row;
}

/** Adds a key; one that exists stays as it is. */
export async function insertApiKey(
  db: Queryable, key: { key_id: string; key_hash: Buffer; name: string; last_four: string; scopes: readonly string[] },
): Promise<void> {
  await db.query(
    `insert into api_keys (key_id, key_hash, name, last_four, scopes) values ($1, $2, $3, $4, $5)
     on conflict (key_hash) do nothing`,
    [key.key_id, key.key_hash, key.name, key.last_four, key.scopes],
  );
}

export function selectApiKeys(db: Queryable): Promise<ApiKeyRow[]> {
  return db.query<ApiKeyRow>(`select ${columns} from api_keys order by created_at desc, key_id`);
}

/** Whether there was such a key in force. */
export async function revokeApiKey(db: Queryable, keyId: string): Promise<boolean> {
  const rows = await db.query("update api_keys set revoked_at = now() where key_id = $1 and revoked_at is null returning key_id", [keyId]);
  return rows.length > 0;
}
