import { executor_actor } from "../model/model.ts";
import type { Clock } from "../../clock.ts";
import type { Database } from "../../db/db.ts";
import { newId } from "../../ids.ts";
import { allOrEachAlone, WorkLoop, type Jobs } from "../../jobs/jobs.ts";
import type { Logger } from "../../log.ts";
import { selectExpiredAuthorizations } from "../store/authorization-expiry-queries.ts";
import { insertVoids } from "../store/operation-queries.ts";

const batch_attempts_max = 500;

/**
 * Voids authorisations at their deadline, which is a column. The PSP is asked to release each one, so that
 * the buyer's money is certainly free and no capture can follow. One that the PSP ended first ends here too.
 */
export function createAuthorizationExpiry({
  database,
  jobs,
  clock,
  log,
}: {
  database: Database;
  jobs: Jobs;
  clock: Clock;
  log: Logger;
}): WorkLoop {
  const voidAll = (attemptIds: readonly string[]): Promise<readonly string[]> =>
    database.transaction(async (tx) => {
      const voids = await insertVoids(
        tx,
        attemptIds.map((attempt_id) => ({
          operation_id: newId("op"),
          attempt_id,
          void_cause: "expired",
          created_by: executor_actor,
        })),
      );
      await jobs.enqueue(
        tx,
        "operation_execute",
        voids.map((operation_id) => ({ data: { operation_id } })),
      );
      return voids;
    });
  // It stays in the list of unresolved orders.
  const logFailure = async (attempt_id: string, error: unknown): Promise<void> =>
    log.error({ err: error, attempt_id }, "an expired authorisation could not be voided");
  return new WorkLoop({
    name: "authorization_expiry",
    log,
    idle_poll_ms: 1_000,
    run: async () => {
      const expired = await selectExpiredAuthorizations(database, clock.now(), batch_attempts_max);
      if (expired.length === 0) return 0;
      const voids = await allOrEachAlone(expired, voidAll, logFailure);
      if (voids.length > 0) jobs.wake("operation_execute");
      return voids.length === batch_attempts_max ? voids.length : 0;
    },
  });
}
