import type { Clock } from "../../clock.ts";
import type { Database } from "../../db/db.ts";
import { allOrEachAlone, WorkLoop, type Jobs } from "../../jobs/jobs.ts";
import type { Logger } from "../../log.ts";
import { ordersOverdue } from "../../metrics.ts";
import type { PspRouter } from "../../psp/psp.ts";
import { renewStaleOperations, selectStaleOperations } from "../store/stale-operation-queries.ts";
import { recordOverdue } from "../store/monitor-queries.ts";

const batch_orders_max = 500;

export type MonitorOptions = {
  readonly database: Database;
  readonly jobs: Jobs;
  readonly router: PspRouter;
  readonly clock: Clock;
  readonly log: Logger;
  /** In one state for longer than this, an order that should move is overdue. */
  readonly overdue_seconds: number;
  readonly interval_seconds: number;
};

/**
 * Finds orders that should move and do not, whatever the reason. Queues a job that asks the PSP about each,
 * and reports each case once: in the log, in the metrics and as the event `payment_order.overdue`.
 */
export function createMonitor({
  database,
  jobs,
  router,
  clock,
  log,
  overdue_seconds,
  interval_seconds,
}: MonitorOptions): WorkLoop {
  const takeUp = (operationIds: readonly string[]): Promise<readonly string[]> =>
    database.transaction(async (tx) => {
      const untouched = await renewStaleOperations(tx, operationIds, overdue_seconds);
      await jobs.enqueue(
        tx,
        "operation_execute",
        untouched.map((operation_id) => ({ data: { operation_id } })),
      );
      return untouched;
    });
  // It stays in the list of unresolved orders.
  const logFailure = async (operation_id: string, error: unknown): Promise<void> =>
    log.error({ err: error, operation_id }, "a stale operation could not be resumed");
  return new WorkLoop({
    name: "monitor",
    log,
    idle_poll_ms: interval_seconds * 1_000,
    run: async () => {
      const overdue = await database.transaction(async (tx) => {
        const found = await recordOverdue(
          tx,
          overdue_seconds,
          router.externalAccounts(),
          clock.now(),
          batch_orders_max,
        );
        await jobs.enqueue(
          tx,
          "payment_execute",
          found.map(({ payment_order_id }) => ({ data: { payment_order_id } })),
        );
        return found;
      });
      for (const { payment_order_id, status, seconds } of overdue) {
        ordersOverdue.inc({ status });
        log.error({ payment_order_id, status, seconds }, "an order is overdue: the PSP is asked");
      }
      if (overdue.length > 0) jobs.wake("payment_execute");
      const stale = await selectStaleOperations(database, overdue_seconds, batch_orders_max);
      if (stale.length > 0) await allOrEachAlone(stale, takeUp, logFailure);
      return overdue.length === batch_orders_max ? overdue.length : 0;
    },
  });
}
