import type { Database } from "../db/db.ts";
import { newId } from "../ids.ts";
import { WorkLoop, type Jobs } from "../jobs/jobs.ts";
import type { Logger } from "../log.ts";
import { executor_actor } from "./claim.ts";
import { insertVoids, selectExpiredAuthorizations } from "./modification-queries.ts";

const batch_attempts_max = 500;

/**
 * Gives authorisations up whose time is over: the deadline is a column, and the PSP is asked, so that the buyer's
 * money is surely free and no capture can follow. One that the PSP ended first ends here all the same.
 */
export function createAuthorizationExpiry({ database, jobs, log }: { database: Database; jobs: Jobs; log: Logger }): WorkLoop {
  return new WorkLoop({
    name: "authorization_expiry", log, idle_poll_ms: 1_000,
    run: async () => {
      const expired = await database.transaction(async (tx) => {
        const attemptIds = await selectExpiredAuthorizations(tx, batch_attempts_max);
        const voids = await insertVoids(tx, attemptIds.map((attempt_id) => ({ modification_id: newId("mod"), attempt_id, void_cause: "expired", created_by: executor_actor })));
        await jobs.enqueue(tx, "payment_modify", voids.map((modification_id) => ({ data: { modification_id } })));
        return attemptIds;
      });
      if (expired.length > 0) jobs.wake("payment_modify");
      return expired.length === batch_attempts_max ? expired.length : 0;
    },
  });
}
