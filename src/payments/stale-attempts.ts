import type { Database } from "../db/db.ts";
import { WorkLoop, type Jobs } from "../jobs/jobs.ts";
import type { Logger } from "../log.ts";
import { renewStaleAttempts } from "./settlement-queries.ts";

const batch_attempts_max = 500;

/**
 * Queues attempts that are still `executing` after the lease: their process died between the commit
 * that opened them and the one that settles them. The attempt's row is the record of the work, so a
 * checkout that starts at once needs no job beside it.
 */
export function createStaleAttemptSweep(options: { database: Database; jobs: Jobs; log: Logger; lease_seconds: number }): WorkLoop {
  const { database, jobs, log, lease_seconds } = options;
  return new WorkLoop({
    name: "stale_attempts", log, idle_poll_ms: 1_000,
    run: async () => {
      const orderIds = await database.transaction(async (tx) => {
        const stale = await renewStaleAttempts(tx, lease_seconds, batch_attempts_max);
        await jobs.enqueue(tx, "payment_execute", stale.map((payment_order_id) => ({ data: { payment_order_id } })));
        return stale;
      });
      if (orderIds.length > 0) {
        log.warn({ count: orderIds.length }, "attempts outlived their lease and are asked about");
        jobs.wake("payment_execute");
      }
      return orderIds.length === batch_attempts_max ? orderIds.length : 0;
    },
  });
}
