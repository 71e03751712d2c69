import type { Database } from "../db/db.ts";
import { WorkLoop } from "../jobs/jobs.ts";
import type { Logger } from "../log.ts";
import { takeTick } from "./queries.ts";

/** How long after a commit it can be read, about: the time between two ticks. */
const busy_interval_ms = 100;
const idle_interval_ms = 1_000;
/** A second without news: then ticks are asked for less often. */
const idle_turns_max = 10;

/**
 * Takes a tick every tenth of a second while something is written, by which followers read and balances as
 * of a time are final. Any number of processes may run it: the database lets one at a time take ticks.
 */
export function createTicker({ database, log }: { database: Database; log: Logger }): WorkLoop {
  let idleTurns = 0;
  return new WorkLoop({
    name: "ticker",
    log,
    idle_poll_ms: () => (idleTurns > idle_turns_max ? idle_interval_ms : busy_interval_ms),
    run: async () => {
      const tick = await takeTick(database, busy_interval_ms);
      idleTurns = tick === null ? idleTurns + 1 : 0;
      // The next one waits for its time, too.
      return 0;
    },
  });
}
