import type { Database, Transaction } from "../db/db.ts";
import { AppError, messageOf } from "../errors.ts";
import type { Logger } from "../log.ts";
import { subjectOf, type JobPayloads, type QueueName } from "./queues.ts";

type Claimed<Name extends QueueName> = {
  readonly id: string;
  readonly retry_count: number;
  readonly data: JobPayloads[Name];
};

/** The part of the queues that this needs. */
type Claims = {
  claim<Name extends QueueName>(
    tx: Transaction,
    queue: Name,
    count: number,
  ): Promise<readonly Claimed<Name>[]>;
  giveBack<Name extends QueueName>(
    tx: Transaction,
    queue: Name,
    jobs: readonly Claimed<Name>[],
    reason: string,
  ): Promise<void>;
};

type Parts = { readonly database: Database; readonly jobs: Claims; readonly log: Logger };

/**
 * Claims jobs and has them decided, all in one transaction. If that fails, the jobs about each subject are
 * decided in a transaction of their own, and those that fail again are given back with the error: a bad row
 * delays its neighbours for a moment, and never blocks them.
 */
export async function claimAndDecide<Name extends QueueName, Result>(
  { database, jobs, log }: Parts,
  queue: Name,
  count: number,
  decide: (tx: Transaction, claimed: readonly Claimed<Name>[]) => Promise<readonly Result[]>,
): Promise<{ readonly claimed_count: number; readonly results: readonly Result[] }> {
  const decideAll = async (
    tx: Transaction,
  ): Promise<{ claimed_count: number; results: readonly Result[] }> => {
    const claimed = await jobs.claim(tx, queue, count);
    return { claimed_count: claimed.length, results: claimed.length === 0 ? [] : await decide(tx, claimed) };
  };
  try {
    return await database.transaction(decideAll);
  } catch (error) {
    if (error instanceof AppError && error.code === "unavailable") throw error;
    log.warn({ err: error, queue }, "a batch of jobs failed; deciding each job alone");
  }
  // Committed before anything is decided, so that a job that kills its worker is counted too.
  const claimed = await database.transaction((tx) => jobs.claim(tx, queue, count));
  const results: Result[] = [];
  for (const [subject_id, alike] of Map.groupBy(claimed, (job) => subjectOf(queue, job))) {
    try {
      results.push(...(await database.transaction((tx) => decide(tx, alike))));
    } catch (error) {
      log.error({ err: error, queue, subject_id }, "a job failed and was given back");
      await database
        .transaction((tx) => jobs.giveBack(tx, queue, alike, messageOf(error)))
        .catch((failure: unknown) => {
          // The lease ends by the database's clock, so the job comes back even if it could not be given back.
          log.error({ err: failure, queue, subject_id }, "a job could not be given back");
        });
    }
  }
  return { claimed_count: claimed.length, results };
}
