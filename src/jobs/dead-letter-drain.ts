import type { Database, Transaction } from "../db/db.ts";
import type { Logger } from "../log.ts";
import { buryAll, type DeadLetterDraft } from "./dead-letters.ts";
import type { JobPayloads } from "./queues.ts";
import { WorkLoop } from "./work-loop.ts";

type DeadJob = { readonly id: string; readonly retry_count: number; readonly data: JobPayloads["dead_letter"] };

/** What of the queues this needs. */
type DeadLetterQueue = {
  claim(tx: Transaction, queue: "dead_letter", count: number): Promise<readonly DeadJob[]>;
  complete(tx: Transaction, queue: "dead_letter", jobs: readonly DeadJob[]): Promise<void>;
};

/** Moves jobs that pg-boss gave up (they killed their worker or threw, again and again) into our table of dead letters. */
export function createDeadLetterDrain(options: { database: Database; jobs: DeadLetterQueue; log: Logger; idle_poll_ms: number }): WorkLoop {
  const { database, jobs, log, idle_poll_ms } = options;
  return new WorkLoop({
    name: "dead_letter", log, idle_poll_ms,
    run: () => database.transaction(async (tx) => {
      const given = await jobs.claim(tx, "dead_letter", 50);
      await buryAll(tx, given.map((job) => draftOf(job.id, job.data)));
      await jobs.complete(tx, "dead_letter", given);
      return given.length;
    }),
  });
}

/** A dead job carries the payload of the queue it came from, and each queue has its own. */
function draftOf(jobId: string, payload: Record<string, unknown>): DeadLetterDraft {
  const orderId = payload["payment_order_id"];
  const modificationId = payload["modification_id"];
  if (typeof modificationId === "string") {
    return { queue: "payment_modify", subject_id: modificationId, payload, reason: "Every try of this job failed or killed its worker.", attempt_count: 0 };
  }
  return typeof orderId === "string"
    ? { queue: "payment_execute", subject_id: orderId, payload, reason: "Every try of this job failed or killed its worker.", attempt_count: 0 }
    : { queue: "webhook_apply", subject_id: jobId, payload, reason: "These webhooks could not be applied: what they speak of is not known here.", attempt_count: 0 };
}
