import type { Database } from "../db/db.ts";
import { WorkLoop } from "../jobs/jobs.ts";
import type { Logger } from "../log.ts";
import { addClosing, isClosingDue, takeTick } from "./closing-queries.ts";

/** The ledger is closed after so many transactions, or after a day. */
const transactions_min = 100_000;
const seconds_max = 24 * 60 * 60;

/** Makes the closings that are due and gives how many. Several processes may try: one of them makes each. */
export async function closeWhatIsDue(database: Database): Promise<number> {
  // Each by itself: a closing reads ticks that were committed before it.
  await takeTick(database);
  let count = 0;
  while (await isClosingDue(database, transactions_min, seconds_max)) {
    if ((await addClosing(database)) === null) return count;
    count += 1;
  }
  return count;
}

/** Looks every minute whether the ledger should be closed. */
export function createCloser({
  database,
  log,
}: {
  readonly database: Database;
  readonly log: Logger;
}): WorkLoop {
  return new WorkLoop({
    name: "ledger_closing",
    log,
    idle_poll_ms: 60_000,
    run: async () => {
      await closeWhatIsDue(database);
      return 0;
    },
  });
}
