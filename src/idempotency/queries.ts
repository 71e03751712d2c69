import { textArray, type Queryable } from "../db/db.ts";

export type AnswerRow = {
  readonly idempotency_key: string;
  readonly fingerprint: Buffer;
  readonly response_status: number;
  readonly response_body: string;
};
export type NewAnswer = AnswerRow & { readonly lifetime_hours: number };

/** Holds back other requests with this key until the transaction ends; errors with SQLSTATE 55P03 after two seconds. */
export async function lockKey(tx: Queryable, key: string): Promise<void> {
  await tx.query("select set_config('lock_timeout', '2s', true), pg_advisory_xact_lock(hashtextextended($1, 42))", [key]);
}

/** The answers that have not expired. */
export function selectAnswers(tx: Queryable, keys: readonly string[]): Promise<AnswerRow[]> {
  return tx.query<AnswerRow>(
    `select idempotency_key, fingerprint, response_status, response_body
       from idempotency_keys
      where idempotency_key = any ($1::text[]) and expires_at > now()`,
    [textArray(keys)],
  );
}

/** Stores answers; one that expired under the same key makes room. */
export async function insertAnswers(tx: Queryable, answers: readonly NewAnswer[]): Promise<void> {
  if (answers.length === 0) return;
  await tx.query("delete from idempotency_keys where idempotency_key = any ($1::text[]) and expires_at <= now()", [
    textArray(answers.map((answer) => answer.idempotency_key)),
  ]);
  await tx.query(
    `insert into idempotency_keys (idempotency_key, fingerprint, response_status, response_body, expires_at)
     select idempotency_key, decode(fingerprint, 'hex'), response_status, response_body, now() + lifetime_hours * interval '1 hour'
       from json_to_recordset($1::json)
            as a (idempotency_key text, fingerprint text, response_status smallint, response_body text, lifetime_hours double precision)`,
    [JSON.stringify(answers.map((answer) => ({ ...answer, fingerprint: answer.fingerprint.toString("hex") })))],
  );
}

/** Removes what has expired and says how much it was. */
export async function deleteExpiredAnswers(db: Queryable): Promise<number> {
  const rows = await db.query("delete from idempotency_keys where expires_at <= now() returning 1");
  return rows.length;
}
