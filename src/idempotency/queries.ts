import { textArray, type Queryable } from "../db/db.ts";

/** An Idempotency-Key belongs to the API key that sent it. */
export type AnswerKey = { readonly key_id: string; readonly idempotency_key: string };

export type AnswerRow = AnswerKey & {
  readonly fingerprint: Buffer;
  readonly response_status: number;
  readonly response_body: string;
};
export type NewAnswer = AnswerRow & { readonly lifetime_hours: number };

/**
 * Holds back other requests with this key until the transaction ends; errors with SQLSTATE 55P03 after two
 * seconds.
 */
export async function lockKey(tx: Queryable, key: AnswerKey): Promise<void> {
  await tx.query(
    "select set_config('lock_timeout', '2s', true), pg_advisory_xact_lock(hashtextextended($1, 42))",
    [textOfKey(key)],
  );
}

/** The two parts joined by a line break, which neither can have. */
export const textOfKey = ({ key_id, idempotency_key }: AnswerKey): string => `${key_id}\n${idempotency_key}`;

/**
 * The answers that have not expired, by `textOfKey`. Two separate list conditions use the primary key
 * whatever the statistics say; the extra pairs that they find are never looked up.
 */
export async function selectAnswers(
  tx: Queryable,
  keys: readonly AnswerKey[],
  at: Date,
): Promise<ReadonlyMap<string, AnswerRow>> {
  const rows = await tx.query<AnswerRow>(
    `select key_id, idempotency_key, fingerprint, response_status, response_body
       from idempotency_keys
      where idempotency_key = any ($1::text[]) and key_id = any ($2::text[])
        and expires_at > $3::timestamptz`,
    [
      textArray(keys.map((key) => key.idempotency_key)),
      textArray([...new Set(keys.map((key) => key.key_id))]),
      at.toISOString(),
    ],
  );
  return new Map(rows.map((row) => [textOfKey(row), row]));
}

/** Stores answers, whose time begins at `at`; one that expired under the same key makes room. */
export async function insertAnswers(tx: Queryable, answers: readonly NewAnswer[], at: Date): Promise<void> {
  if (answers.length === 0) return;
  await tx.query(
    "delete from idempotency_keys where idempotency_key = any ($1::text[]) and expires_at <= $2::timestamptz",
    [textArray(answers.map((answer) => answer.idempotency_key)), at.toISOString()],
  );
  await tx.query(
    `insert into idempotency_keys (key_id, idempotency_key, fingerprint, response_status, response_body,
                                    created_at, expires_at)
     select key_id, idempotency_key, decode(fingerprint, 'hex'), response_status, response_body,
            $2::timestamptz, $2::timestamptz + lifetime_hours * interval '1 hour'
       from json_to_recordset($1::json)
            as a (key_id text, idempotency_key text, fingerprint text, response_status smallint,
                  response_body text, lifetime_hours double precision)`,
    [
      JSON.stringify(
        answers.map((answer) => ({ ...answer, fingerprint: answer.fingerprint.toString("hex") })),
      ),
      at.toISOString(),
    ],
  );
}

/** Removes what has expired and says how much it was. */
export async function deleteExpiredAnswers(db: Queryable, at: Date): Promise<number> {
  const rows = await db.query(
    "delete from idempotency_keys where expires_at <= $1::timestamptz returning 1",
    [at.toISOString()],
  );
  return rows.length;
}
