import { sqlStateOf, type Database } from "../db/db.ts";
import { WorkLoop } from "../jobs/jobs.ts";
import type { Logger } from "../log.ts";
import { addPartitions, dropPartitions, pruneTicks, takeTickNow } from "./queries.ts";

/** So long a service may stand still before events go to the default partition. */
export const weeks_ahead = 4;
/** Longer than a reader that comes back is usually away. */
const tick_days = 7;

const day_ms = 86_400_000;
const retry_ms = 60_000;
const lock_not_available = "55P03";

/**
 * Makes partitions ahead, drops those whose events are too old, and deletes ticks that nobody needs, once a
 * day.
 */
export function createEventUpkeep({
  database,
  log,
  retention_days,
}: {
  database: Database;
  log: Logger;
  retention_days: number;
}): WorkLoop {
  let isDone = false;
  return new WorkLoop({
    name: "event_upkeep",
    log,
    idle_poll_ms: () => (isDone ? day_ms : retry_ms),
    run: async () => {
      isDone = false;
      try {
        await addPartitions(database, weeks_ahead);
        // Events are dropped once a tick has them all, also if nothing was written since.
        await takeTickNow(database);
        const dropped = await dropPartitions(database, retention_days);
        if (dropped > 0) log.info({ dropped }, "events older than EVENTS_RETENTION_DAYS were dropped");
        await pruneTicks(database, tick_days);
        isDone = true;
      } catch (error) {
        // A transaction was open for longer than writers may wait behind us.
        if (sqlStateOf(error) !== lock_not_available) throw error;
        log.warn({ err: error }, "partitions of events are in use, trying again in a minute");
      }
      return 0;
    },
  });
}
