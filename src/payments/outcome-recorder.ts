import { GroupCommit, type Database, type Transaction } from "../db/db.ts";
import type { Job, Jobs } from "../jobs/jobs.ts";
import { ordersFinal } from "../metrics.ts";
import type { PspRouter } from "../psp/psp.ts";
import { markMessages } from "../webhooks/webhooks.ts";
import { crashPoint } from "./crash-points.ts";
import { applyPlans } from "./apply-plans.ts";
import { planOf, type PlanTerms } from "./planning.ts";
import {
  operationIdOf,
  type OrderReport,
  type PspReport,
  type Recorded,
  type ReportSource,
} from "./psp-report.ts";
import type { RetryPolicies } from "./retry-policies.ts";
import { factsOf, sourceFactsOf } from "./report-facts.ts";
import { lockForSettlement, selectOrdersOfAttempts } from "./settlement-queries.ts";
import { decide } from "./state-machine.ts";

export type RecorderOptions = PlanTerms & {
  readonly database: Database;
  readonly jobs: Jobs;
  readonly router: PspRouter;
  readonly policies: RetryPolicies;
  readonly random: () => number;
};

/** Writes outcomes: order, attempt, operation, history, ledger, wallet, event and job change in one shared commit. */
export class OutcomeRecorder {
  readonly #options: RecorderOptions;
  readonly #group: GroupCommit<PspReport, "recorded">;

  constructor(options: RecorderOptions) {
    this.#options = options;
    this.#group = new GroupCommit({
      name: "outcomes",
      database: options.database,
      batch_items_max: 200,
      flush: async (tx, reports) => {
        await this.#flush(tx, reports);
        crashPoint("in_settlement");
        return reports.map(() => "recorded" as const);
      },
    });
  }

  /** Resolves once the report is written, or was known. */
  async record(report: PspReport): Promise<void> {
    await this.#group.submit(report);
  }

  close(): Promise<void> {
    return this.#group.close();
  }

  /** Several reports about one order are taken one after another: each is decided on what the last one left. */
  async #flush(tx: Transaction, reports: readonly PspReport[]): Promise<void> {
    let rest = await this.#ofOrders(tx, reports);
    while (rest.length > 0) {
      const orderIds = new Set<string>();
      const round = rest.filter(({ payment_order_id }) => {
        const isFirst = !orderIds.has(payment_order_id);
        orderIds.add(payment_order_id);
        return isFirst;
      });
      rest = rest.filter((one) => !round.includes(one));
      await this.#recordRound(tx, round);
    }
  }

  async #ofOrders(tx: Transaction, reports: readonly PspReport[]): Promise<OrderReport[]> {
    const pages = reports.flatMap((one) => (one.payment_order_id === null ? [one.attempt_id] : []));
    const orders =
      pages.length === 0 ? new Map<string, readonly string[]>() : await selectOrdersOfAttempts(tx, pages);
    return reports.flatMap((one): OrderReport[] => {
      const ids = one.payment_order_id === null ? (orders.get(one.attempt_id) ?? []) : [one.payment_order_id];
      return ids.map((payment_order_id, index) => ({ ...one, payment_order_id, is_first: index === 0 }));
    });
  }

  async #recordRound(tx: Transaction, reports: readonly OrderReport[]): Promise<void> {
    const recorded = await this.#decide(tx, reports);
    const plans = recorded.map((one) => planOf(one, this.#options));
    await Promise.all([
      applyPlans(tx, this.#options.jobs, plans),
      this.#complete(
        tx,
        reports.flatMap(({ source, is_first }) => (is_first ? [source] : [])),
      ),
    ]);
    recorded.forEach(({ row }, index) => {
      const status = plans[index]?.order?.order_status ?? row.status;
      if (status !== row.status) ordersFinal.inc({ status });
    });
  }

  async #complete(tx: Transaction, sources: readonly ReportSource[]): Promise<void> {
    const { jobs } = this.#options;
    await Promise.all([
      jobs.complete(tx, "payment_execute", sources.flatMap(executeJobOf)),
      jobs.complete(tx, "operation_execute", sources.flatMap(operationJobOf)),
      markMessages(
        tx,
        sources.flatMap((source) => (source.kind === "webhook" ? [source.message_id] : [])),
        "applied",
        null,
      ),
    ]);
  }

  /** Reports that change nothing are left out. */
  async #decide(tx: Transaction, reports: readonly OrderReport[]): Promise<Recorded[]> {
    const { policies, random, router } = this.#options;
    const locked = await lockForSettlement(
      tx,
      reports.map((one) => ({ ...one, operation_id: operationIdOf(one.source) })),
    );
    const rows = new Map(locked.map((row) => [row.payment_order_id as string, row]));
    return reports.flatMap((report): Recorded[] => {
      const row = rows.get(report.payment_order_id);
      if (row === undefined)
        throw new Error(`no order ${report.payment_order_id} with the attempt ${report.attempt_id}`);
      const decision = decide({
        ...factsOf(row),
        source: sourceFactsOf(report.source, row),
        outcome: report.outcome,
        // An account that is configured no more still has old reports.
        releases_rest: !router.has(row.psp) || router.get(row.psp).releases_rest,
        can_be_asked: !router.isExternal(row.psp),
        policies,
        random: random(),
      });
      return decision === null ? [] : [{ report, row, decision }];
    });
  }
}

const executeJobOf = (source: ReportSource): Job<"payment_execute">[] =>
  (source.kind === "charge" || source.kind === "inquiry") && source.job !== null ? [source.job] : [];

function operationJobOf(source: ReportSource): Job<"operation_execute">[] {
  if (source.kind === "operation") return [source.job];
  return source.kind === "resolution" && source.operation !== null ? [source.operation.job] : [];
}
