/** The door of the jobs room: a thin layer over pg-boss. */
import pg from "pg";
import { PgBoss, type Db as BossDatabase } from "pg-boss";
import { connectionOf, type Transaction } from "../db/db.ts";
import type { Logger } from "../log.ts";
import type { DeadJob } from "./dead-letter-drain.ts";
import { addDeadLetters, letterOf } from "./dead-letters.ts";
import { schema } from "./install.ts";
import { isPayloadOf, queueNames, type JobPayloads, type QueueName } from "./queues.ts";

export { allOrEachAlone } from "./all-or-each-alone.ts";
export { claimAndDecide } from "./claim-and-decide.ts";
export { addDeadLetters, decideLetter } from "./dead-letters.ts";
export type { DeadLetterDraft } from "./dead-letters.ts";
export { installJobs } from "./install.ts";
export {
  decideWaiting,
  hasDiscrepancy,
  selectAnswered,
  selectDeadLetter,
  selectDeadLetters,
  type DeadLetterRow,
  type LetterKind,
  type LetterSubjects,
} from "./queries.ts";
export { isLastTry, isPayloadOf, type JobPayloads, type QueueName } from "./queues.ts";
export { nextDelaySeconds, type RetryPolicy } from "./retry-delay.ts";
export { createDeadLetterDrain } from "./dead-letter-drain.ts";
export { WorkLoop } from "./work-loop.ts";

/** One claimed job. `retry_count` names the claim, so that a late worker cannot complete a newer one. */
export type Job<Name extends QueueName> = {
  readonly id: string;
  readonly retry_count: number;
  readonly data: JobPayloads[Name];
};

/** A claimed job with any data. */
type Claimed = { readonly id: string; readonly retry_count: number; readonly data: unknown };

/** About ten seconds with the queues' delays. */
const failures_before_letter = 4;

type Enqueued<Name extends QueueName> = {
  readonly data: JobPayloads[Name];
  readonly start_after_seconds?: number;
};

export type JobsOptions = {
  readonly url: string;
  readonly log: Logger;
  /** After how long a claimed job is given to another worker; longer than any PSP call. */
  readonly lease_seconds: number;
  /** Whether this process also watches leases and removes old jobs. */
  readonly is_supervisor: boolean;
};

/** The queues. All but `start` and `stop` run inside the caller's transaction. */
export class Jobs {
  readonly #boss: PgBoss;
  readonly #options: JobsOptions;
  readonly #listeners = new Map<QueueName, Set<() => void>>();

  constructor(options: JobsOptions) {
    this.#options = options;
    this.#boss = new PgBoss({
      ...connectionOf(options.url),
      options: "-c TimeZone=UTC -c synchronous_commit=on",
      schema,
      application_name: "pacioli-jobs",
      max: 3,
      migrate: false,
      createSchema: false,
      schedule: false,
      reindex: false,
      supervise: options.is_supervisor,
      superviseIntervalSeconds: 1,
      monitorIntervalSeconds: 1,
      maintenanceIntervalSeconds: 3_600,
    });
    this.#boss.on("error", (error) => options.log.error({ err: error }, "job queue"));
  }

  async start(): Promise<void> {
    await this.#boss.start();
    // pg-boss reads a queue's settings once and keeps them: read them now, not inside a transaction.
    await Promise.all(queueNames.map((name) => this.#boss.getQueue(name)));
  }

  async stop(): Promise<void> {
    await this.#boss.stop({ graceful: false });
  }

  /**
   * Adds jobs in the caller's transaction. Call `wake` after the commit, so that an idle worker of this
   * process looks at once.
   */
  async enqueue<Name extends QueueName>(
    tx: Transaction,
    queue: Name,
    jobs: readonly Enqueued<Name>[],
  ): Promise<void> {
    if (jobs.length === 0) return;
    await this.#boss.insert(
      queue,
      jobs.map(({ data, start_after_seconds }) => ({
        data,
        expireInSeconds: this.#options.lease_seconds,
        ...(start_after_seconds !== undefined && start_after_seconds > 0
          ? { startAfter: Math.ceil(start_after_seconds * 1000) / 1000 }
          : {}),
      })),
      { db: inTransaction(tx) },
    );
  }

  /**
   * Claims up to `count` due jobs for the length of the lease. Those whose data cannot be read become dead
   * letters at once.
   */
  async claim<Name extends QueueName>(
    tx: Transaction,
    queue: Name,
    count: number,
  ): Promise<readonly Job<Name>[]> {
    const found = await this.#boss.fetch(queue, { batchSize: count, db: inTransaction(tx) });
    const jobs: Job<Name>[] = [];
    const unreadable: Claimed[] = [];
    for (const { id, retryCount: retry_count, data } of found) {
      if (isPayloadOf(queue, data)) jobs.push({ id, retry_count, data });
      else unreadable.push({ id, retry_count, data });
    }
    await this.abandon(tx, queue, unreadable, `The data of this job are not those of a job of ${queue}.`);
    return jobs;
  }

  /** Claims jobs that pg-boss gave up, each with the queue it came from. */
  async claimDead(tx: Transaction, count: number): Promise<readonly DeadJob[]> {
    const found = await this.#boss.fetch<unknown>("dead_letter", {
      batchSize: count,
      includeMetadata: true,
      db: inTransaction(tx),
    });
    return found.map(({ id, retryCount, data, sourceName, sourceRetryCount, sourceOutput }) => ({
      id,
      retry_count: retryCount,
      data,
      source: { queue: sourceName, retry_count: sourceRetryCount ?? 0, output: sourceOutput },
    }));
  }

  /**
   * Ends claimed jobs in the transaction that did their work. A claim that has been lost since is left alone.
   */
  async complete(tx: Transaction, queue: QueueName, jobs: readonly Claimed[]): Promise<void> {
    if (jobs.length === 0) return;
    await this.#boss.complete(queue, jobs.map(claimOf), null, { db: inTransaction(tx) });
  }

  /**
   * Gives claimed jobs back for another try after the queue's delay; past its limit they go to `dead_letter`.
   */
  async fail(tx: Transaction, queue: QueueName, jobs: readonly Claimed[], reason: string): Promise<void> {
    if (jobs.length === 0) return;
    await this.#boss.fail(queue, jobs.map(claimOf), { reason }, { db: inTransaction(tx) });
  }

  /** As `fail`, after an error. The job is still retried; after a few errors in a row a dead letter opens. */
  async giveBack(tx: Transaction, queue: QueueName, jobs: readonly Claimed[], reason: string): Promise<void> {
    await this.fail(tx, queue, jobs, reason);
    const repeated = jobs.filter((job) => job.retry_count + 1 === failures_before_letter);
    await addDeadLetters(
      tx,
      repeated.map((job) => letterOf(queue, job, reason, failures_before_letter)),
    );
  }

  /** Ends claimed jobs that another try would not help, with a dead letter each. */
  async abandon(tx: Transaction, queue: QueueName, jobs: readonly Claimed[], reason: string): Promise<void> {
    await addDeadLetters(
      tx,
      jobs.map((job) => letterOf(queue, job, reason, job.retry_count + 1)),
    );
    await this.complete(tx, queue, jobs);
  }

  /** Tells this process's workers of the queue that there is work. */
  wake(queue: QueueName): void {
    for (const listener of this.#listeners.get(queue) ?? []) listener();
  }

  onWake(queue: QueueName, listener: () => void): void {
    const listeners = this.#listeners.get(queue) ?? new Set();
    listeners.add(listener);
    this.#listeners.set(queue, listeners);
  }
}

const claimOf = (job: Pick<Claimed, "id" | "retry_count">): { id: string; retryCount: number } => ({
  id: job.id,
  retryCount: job.retry_count,
});

/** pg-boss on the caller's connection, with the driver's default types, which it expects. */
function inTransaction(tx: Transaction): BossDatabase {
  return { executeSql: (text, values) => tx.send({ text, values: values ?? [], types: pg.types }) };
}
