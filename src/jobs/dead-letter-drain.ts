import type { Database, Transaction } from "../db/db.ts";
import type { Logger } from "../log.ts";
import { addDeadLetters, letterOf } from "./dead-letters.ts";
import { queueNames, type QueueName } from "./queues.ts";
import { WorkLoop } from "./work-loop.ts";

/** A job that pg-boss gave up, with its original queue and its last error. */
export type DeadJob = {
  readonly id: string;
  readonly retry_count: number;
  readonly data: unknown;
  readonly source: { readonly queue: string | null; readonly retry_count: number; readonly output: unknown };
};

/** The part of the queues that this needs. */
type DeadLetterQueue = {
  claimDead(tx: Transaction, count: number): Promise<readonly DeadJob[]>;
  complete(tx: Transaction, queue: "dead_letter", jobs: readonly DeadJob[]): Promise<void>;
};

type DrainOptions = {
  readonly database: Database;
  readonly jobs: DeadLetterQueue;
  readonly log: Logger;
  readonly idle_poll_ms: number;
};

const batch_jobs_max = 50;

/**
 * Moves jobs that pg-boss gave up (they killed their worker or failed, again and again) into our table of
 * dead letters.
 */
export function createDeadLetterDrain({ database, jobs, log, idle_poll_ms }: DrainOptions): WorkLoop {
  const drain = (count: number): Promise<number> =>
    database.transaction(async (tx) => {
      const given = await jobs.claimDead(tx, count);
      await addDeadLetters(
        tx,
        given.map((job) => letterOf(queueOf(job), job, reasonOf(job), job.source.retry_count + 1)),
      );
      await jobs.complete(tx, "dead_letter", given);
      return given.length;
    });
  return new WorkLoop({ name: "dead_letter", log, idle_poll_ms, run: () => drain(batch_jobs_max) });
}

/** A job that a person added to the queue by hand has no original queue. */
const queueOf = ({ source }: DeadJob): QueueName =>
  queueNames.find((name) => name === source.queue) ?? "dead_letter";

function reasonOf({ source: { output } }: DeadJob): string {
  const error = errorIn(output);
  return error === undefined
    ? "Every try of this job failed or killed its worker."
    : `Every try of this job failed or killed its worker; the last one: ${error}`;
}

/** `reason` is ours; `value.message` is pg-boss's, for a job that outlived its lease. */
function errorIn(output: unknown): string | undefined {
  if (typeof output !== "object" || output === null) return undefined;
  if ("reason" in output && typeof output.reason === "string") return output.reason;
  const value = "value" in output ? output.value : undefined;
  return typeof value === "object" && value !== null && "message" in value
    ? String(value.message)
    : undefined;
}
