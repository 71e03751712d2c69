import type { Database } from "../../db/db.ts";
import { messageOf } from "../../errors.ts";
import { allOrEachAlone, addDeadLetters, WorkLoop, type Jobs } from "../../jobs/jobs.ts";
import type { Logger } from "../../log.ts";
import { renewStaleAttempts, selectStaleAttempts, type StaleAttempt } from "../store/attempt-queries.ts";

const batch_attempts_max = 500;

/**
 * Queues attempts that are still `executing` after the lease: their process died between the commit
 * that opened them and the one that records their outcomes. The attempt's row is the record of the work, so a
 * checkout that starts at once needs no job beside it.
 */
export function createStaleAttemptSweep(options: {
  database: Database;
  jobs: Jobs;
  log: Logger;
  lease_seconds: number;
}): WorkLoop {
  const { database, jobs, log, lease_seconds } = options;
  const takeUp = (stale: readonly StaleAttempt[]): Promise<readonly string[]> =>
    database.transaction(async (tx) => {
      const renewed = new Set(
        await renewStaleAttempts(
          tx,
          stale.map(({ attempt_id }) => attempt_id),
          lease_seconds,
        ),
      );
      const orderIds = stale
        .filter(({ attempt_id }) => renewed.has(attempt_id))
        .map(({ payment_order_id }) => payment_order_id);
      await jobs.enqueue(
        tx,
        "payment_execute",
        orderIds.map((payment_order_id) => ({ data: { payment_order_id } })),
      );
      return orderIds;
    });
  const openLetter = async (
    { attempt_id, payment_order_id }: StaleAttempt,
    error: unknown,
  ): Promise<void> => {
    log.error({ err: error, attempt_id, payment_order_id }, "a stale attempt could not be resumed");
    const reason = `The attempt outlived its lease and cannot be resumed: ${messageOf(error)}`;
    const payload = { payment_order_id, attempt_id };
    await addDeadLetters(database, [
      { queue: "payment_execute", subject_id: payment_order_id, payload, reason, attempt_count: 1 },
    ]);
  };
  return new WorkLoop({
    name: "stale_attempts",
    log,
    idle_poll_ms: 1_000,
    run: async () => {
      const stale = await selectStaleAttempts(database, lease_seconds, batch_attempts_max);
      if (stale.length === 0) return 0;
      const orderIds = await allOrEachAlone(stale, takeUp, openLetter);
      if (orderIds.length > 0) {
        log.warn({ count: orderIds.length }, "attempts outlived their lease; the PSP is asked about them");
        jobs.wake("payment_execute");
      }
      return orderIds.length === batch_attempts_max ? orderIds.length : 0;
    },
  });
}
