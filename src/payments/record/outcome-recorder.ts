import type { Clock } from "../../clock.ts";
import { GroupCommit, type Database, type Transaction } from "../../db/db.ts";
import type { Job, Jobs } from "../../jobs/jobs.ts";
import { ordersFinal } from "../../metrics.ts";
import { markMessages } from "../../webhooks/webhooks.ts";
import { applyPlans } from "./apply-plans.ts";
import { crashPoint } from "../model/crash-points.ts";
import { kindOf, type OperationKinds } from "./operation-kind.ts";
import { lockOperations } from "../store/operation-turn-queries.ts";
import type { Plan } from "./plan.ts";
import { withChargeReferences, withOperationReferences } from "./planned-references.ts";
import type { DecideCharge } from "./planning.ts";
import { operationIdOf, type OrderReport, type PspReport, type ReportSource } from "./psp-report.ts";
import { storableOutcome } from "./storable-outcome.ts";
import { lockForOutcomes, selectOrdersOfAttempts, type OpenRow } from "../store/outcome-queries.ts";

export type RecorderOptions = {
  readonly database: Database;
  readonly jobs: Jobs;
  readonly clock: Clock;
  /** What follows from a report about a charge. */
  readonly decideCharge: DecideCharge;
  readonly kinds: OperationKinds;
};

/**
 * Writes outcomes: order, attempt, operation, history, ledger, wallet, event and job change in one shared
 * commit.
 */
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
        crashPoint("in_outcome_commit");
        return reports.map(() => "recorded" as const);
      },
    });
  }

  /** Resolves once the report is written, or was known. */
  async record(report: PspReport): Promise<void> {
    await this.#group.submit({ ...report, outcome: storableOutcome(report.outcome) });
  }

  close(): Promise<void> {
    return this.#group.close();
  }

  async #flush(tx: Transaction, reports: readonly PspReport[]): Promise<void> {
    const ofOrders = await reportsOfOrders(tx, reports);
    const ofOperations = reports.filter(({ attempt_id }) => attempt_id === null);
    const charges = roundsOf(ofOrders, ({ payment_order_id }) => payment_order_id);
    const operations = roundsOf(ofOperations, operationOf);
    for (let round = 0; round < Math.max(charges.length, operations.length); round++)
      await this.#record(tx, charges[round] ?? [], operations[round] ?? []);
  }

  /**
   * Charges and operations are locked before any of them is decided, and posted together, so that accounts
   * are locked in one order.
   */
  async #record(
    tx: Transaction,
    charges: readonly OrderReport[],
    operations: readonly PspReport[],
  ): Promise<void> {
    const { jobs, clock } = this.#options;
    const plans = [
      ...(await this.#planCharges(tx, charges)),
      ...(await this.#planOperations(tx, operations)),
    ];
    const ended = [...charges.filter(({ is_first }) => is_first), ...operations];
    const sources = ended.map(({ source }) => source);
    const [changes] = await Promise.all([
      // In real time it is the time of recording, which the ledger takes under its locks.
      applyPlans(tx, jobs, plans, clock.ahead_ms === 0 ? null : clock.now()),
      jobs.complete(tx, "payment_execute", sources.flatMap(executeJobOf)),
      jobs.complete(tx, "operation_execute", sources.flatMap(operationJobOf)),
      markMessages(
        tx,
        sources.flatMap((source) => (source.kind === "webhook" ? [source.message_id] : [])),
        "applied",
        null,
      ),
    ]);
    // A batch that fails is written again one by one: counted before, its orders would count twice.
    for (const { new_status } of changes) if (new_status !== null) ordersFinal.inc({ status: new_status });
  }

  /** Reports that change nothing have no plan. */
  async #planCharges(tx: Transaction, reports: readonly OrderReport[]): Promise<Plan[]> {
    if (reports.length === 0) return [];
    const locked = await lockForOutcomes(
      tx,
      reports.map((one) => ({ ...one, operation_id: operationIdOf(one.source) })),
    );
    const rows = new Map(locked.map((row) => [row.payment_order_id as string, row]));
    return reports.flatMap((report) => {
      const row = rows.get(report.payment_order_id);
      if (row === undefined)
        throw new Error(`no order ${report.payment_order_id} with the attempt ${report.attempt_id}`);
      return withChargeReferences(this.#planCharge(report, row), report, row) ?? [];
    });
  }

  #planCharge(report: OrderReport, row: OpenRow): Plan | null {
    if (row.operation_id === null || operationIdOf(report.source) === null)
      return this.#options.decideCharge(report, row);
    const kind = kindOf(this.#options.kinds, row.operation_kind);
    // One that leaves the orders of a page as they are is decided once, not for each of them.
    return report.is_first || kind.decides_orders ? kind.decide({ subject: "charge", report, row }) : null;
  }

  async #planOperations(tx: Transaction, reports: readonly PspReport[]): Promise<Plan[]> {
    if (reports.length === 0) return [];
    const locked = await lockOperations(tx, reports.map(operationOf));
    const operations = new Map(locked.map((operation) => [operation.operation_id as string, operation]));
    return reports.flatMap((report) => {
      const operation = operations.get(operationOf(report));
      if (operation === undefined) throw new Error(`there is no operation ${operationOf(report)}`);
      const kind = kindOf(this.#options.kinds, operation.kind);
      const plan = kind.decide({ subject: "operation", report, operation });
      return withOperationReferences(plan, report, operation) ?? [];
    });
  }
}

/** A report about a page becomes one for each of its orders. */
async function reportsOfOrders(tx: Transaction, reports: readonly PspReport[]): Promise<OrderReport[]> {
  const pages = reports.flatMap(({ payment_order_id, attempt_id }) =>
    payment_order_id === null && attempt_id !== null ? [attempt_id] : [],
  );
  const orders =
    pages.length === 0 ? new Map<string, readonly string[]>() : await selectOrdersOfAttempts(tx, pages);
  return reports.flatMap((one): OrderReport[] => {
    const { payment_order_id, attempt_id } = one;
    if (attempt_id === null) return [];
    const ids = payment_order_id === null ? (orders.get(attempt_id) ?? []) : [payment_order_id];
    return ids.map((id, index) => ({ ...one, attempt_id, payment_order_id: id, is_first: index === 0 }));
  });
}

/** Reports about one subject go into different rounds: each is decided on what the last one left. */
function roundsOf<Report>(reports: readonly Report[], subjectOf: (report: Report) => string): Report[][] {
  const rounds: Report[][] = [];
  const counts = new Map<string, number>();
  for (const report of reports) {
    const count = counts.get(subjectOf(report)) ?? 0;
    counts.set(subjectOf(report), count + 1);
    (rounds[count] ??= []).push(report);
  }
  return rounds;
}

function operationOf({ source }: PspReport): string {
  const operation_id = operationIdOf(source);
  if (operation_id === null)
    throw new Error(`a report from a ${source.kind} is about neither attempt nor operation`);
  return operation_id;
}

const executeJobOf = (source: ReportSource): Job<"payment_execute">[] =>
  (source.kind === "charge" || source.kind === "inquiry") && source.job !== null ? [source.job] : [];

function operationJobOf(source: ReportSource): Job<"operation_execute">[] {
  if (source.kind === "operation") return [source.job];
  return source.kind === "resolution" && source.operation !== null ? [source.operation.job] : [];
}
