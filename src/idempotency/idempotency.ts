/** The door of the idempotency room: the same request gets the same answer. */
import { hash } from "node:crypto";
import type { Clock } from "../clock.ts";
import type { Database, Transaction } from "../db/db.ts";
import { sqlStateOf } from "../db/db.ts";
import { AppError } from "../errors.ts";
import { WorkLoop } from "../jobs/jobs.ts";
import type { Logger } from "../log.ts";
import { canonicalJson } from "./canonical-json.ts";
import {
  deleteExpiredAnswers,
  insertAnswers,
  lockKey,
  selectAnswers,
  textOfKey,
  type AnswerKey,
  type AnswerRow,
} from "./queries.ts";

export { insertAnswers, selectAnswers, textOfKey } from "./queries.ts";
export type { AnswerKey, AnswerRow } from "./queries.ts";

/** What was answered, byte for byte, and whether it was answered before. */
export type Answer = { readonly status: number; readonly body: string; readonly is_replay: boolean };

/**
 * SHA-256 over method, path and canonical JSON body (RFC 8785): equal for the same request however it was
 * written.
 */
export function fingerprintOf(method: string, path: string, body: unknown): Buffer {
  return hash("sha256", `${method} ${path}\n${canonicalJson(body ?? null)}`, "buffer");
}

/** Errors with `idempotency_key_reused` unless the stored answer belongs to this very request. */
export function replayOf(stored: AnswerRow, fingerprint: Buffer): Answer {
  if (!stored.fingerprint.equals(fingerprint)) {
    throw new AppError(
      "idempotency_key_reused",
      "This Idempotency-Key was used before with a different request.",
      { param: "Idempotency-Key" },
    );
  }
  return { status: stored.response_status, body: stored.response_body, is_replay: true };
}

/**
 * Runs `work` once for a key and stores its answer in the same transaction; without a key it only
 * runs it. A request that runs at the same time waits up to two seconds for the first one's answer,
 * then gets 409. `at`: the business time of the request.
 */
export async function answerOnce(
  database: Database,
  request: { key: AnswerKey | null; fingerprint: Buffer; lifetime_hours: number; at: Date },
  work: (tx: Transaction) => Promise<{ status: number; body: unknown }>,
): Promise<Answer> {
  const { key, fingerprint, lifetime_hours, at } = request;
  const run = async (tx: Transaction): Promise<Answer> => {
    const answer = await work(tx);
    return { status: answer.status, body: JSON.stringify(answer.body), is_replay: false };
  };
  if (key === null) return database.transaction(run);
  try {
    return await database.transaction(async (tx) => {
      await lockKey(tx, key);
      const stored = (await selectAnswers(tx, [key], at)).get(textOfKey(key));
      if (stored !== undefined) return replayOf(stored, fingerprint);
      const answer = await run(tx);
      const { status: response_status, body: response_body } = answer;
      await insertAnswers(tx, [{ ...key, fingerprint, lifetime_hours, response_status, response_body }], at);
      return answer;
    });
  } catch (error) {
    if (sqlStateOf(error) === "55P03") {
      throw new AppError("idempotency_key_in_use", "A request with this key is still running.", {
        retry_after_seconds: 1,
        cause: error,
      });
    }
    throw error;
  }
}

const purge_interval_ms = 600_000;

/** Removes answers whose time is over, every ten minutes; their keys may then be used again. */
export function createAnswerPurge({
  database,
  clock,
  log,
}: {
  database: Database;
  clock: Clock;
  log: Logger;
}): WorkLoop {
  return new WorkLoop({
    name: "idempotency_purge",
    log,
    idle_poll_ms: purge_interval_ms,
    run: async () => {
      await deleteExpiredAnswers(database, clock.now());
      return 0;
    },
  });
}
