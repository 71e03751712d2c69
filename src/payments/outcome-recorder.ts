import { GroupCommit, type Database, type Transaction } from "../db/db.ts";
import { buryAll, type DeadLetterDraft, type Job, type Jobs } from "../jobs/jobs.ts";
import { postAll, reversalsOf } from "../ledger/ledger.ts";
import { ordersFinal } from "../metrics.ts";
import type { PspRouter } from "../psp/psp.ts";
import type { Sealing } from "../sealing.ts";
import { markMessages } from "../webhooks/webhooks.ts";
import { crashPoint } from "./crash-points.ts";
import { markAuthorizationsEnded, writeModifications } from "./modification-outcome-queries.ts";
import {
  modificationIdOf,
  type OrderReport,
  type PspReport,
  type Recorded,
  type ReportSource,
} from "./psp-report.ts";
import { postingsOf, undoneSources } from "./postings.ts";
import type { RetryPolicies } from "./retry-policies.ts";
import { modificationRowOf, orderRowOf } from "./settled-rows.ts";
import { factsOf, sourceFactsOf } from "./report-facts.ts";
import { followModificationsUp, followUp } from "./settlement-follow-up.ts";
import { lockForSettlement, selectOrdersOfAttempts, writeSettlement } from "./settlement-queries.ts";
import { decide } from "./state-machine.ts";

export type RecorderOptions = {
  readonly database: Database;
  readonly jobs: Jobs;
  readonly router: PspRouter;
  readonly policies: RetryPolicies;
  readonly commission_basis_points: bigint;
  /** How long before an authorisation is voided, if the PSP does not end it sooner. */
  readonly authorization_seconds: number;
  /** How long a buyer may take to confirm a payment at the bank before it is voided. */
  readonly buyer_action_seconds: number;
  /** Encrypts next actions, which only the buyer may see. */
  readonly sealing: Sealing;
  readonly random: () => number;
};

/** Writes outcomes: order, attempt, modification, history, ledger, wallet, event and job change in one shared commit. */
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
    const { jobs } = this.#options;
    const recorded = await this.#decide(tx, reports);
    const written = recorded.filter(({ decision }) => !decision.is_unchanged);
    const sources = reports.flatMap(({ source, is_first }) => (is_first ? [source] : []));
    await Promise.all([
      this.#post(tx, written),
      // What is captured now is under way no more: said first, for a constraint bounds the two together.
      writeModifications(tx, recorded.flatMap(modificationRowOf)),
      this.#write(tx, written),
      markAuthorizationsEnded(
        tx,
        recorded.flatMap(({ row: { attempt_id }, decision: { authorization_ended_as } }) =>
          authorization_ended_as === null ? [] : [{ attempt_id, authorization_ended_as }],
        ),
      ),
      followUp(tx, jobs, recorded),
      followModificationsUp(tx, jobs, recorded),
      jobs.complete(tx, "payment_execute", sources.flatMap(executeJobOf)),
      jobs.complete(tx, "payment_modify", sources.flatMap(modifyJobOf)),
      markMessages(
        tx,
        sources.flatMap((source) => (source.kind === "webhook" ? [source.message_id] : [])),
        "applied",
        null,
      ),
    ]);
    for (const { row, decision } of written)
      if (decision.order_status !== row.status) ordersFinal.inc({ status: decision.order_status });
  }

  /** Reports that change nothing are left out. */
  async #decide(tx: Transaction, reports: readonly OrderReport[]): Promise<Recorded[]> {
    const { policies, random, router } = this.#options;
    const locked = await lockForSettlement(
      tx,
      reports.map((one) => ({ ...one, modification_id: modificationIdOf(one.source) })),
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

  async #post(tx: Transaction, written: readonly Recorded[]): Promise<void> {
    const drafts = written.flatMap(({ row, decision }) => {
      const isOfModification = row.attempt_status === "authorized" || decision.undoes_minor > 0n;
      const modification_id = isOfModification ? row.modification_id : null;
      return postingsOf({ ...row, modification_id }, decision, this.#options.commission_basis_points);
    });
    const undone = written.flatMap(({ row, decision }) => undoneSources(row, decision));
    // In one call with the postings: two calls could lock accounts in another order than other transactions.
    drafts.push(...(await reversalsOf(tx, undone, "the capture failed at the PSP")));
    const postings = await postAll(tx, drafts);
    postings.forEach((posting, index) => {
      if (posting.outcome !== "posted")
        throw new Error(`${drafts[index]?.source} was not posted: ${posting.outcome}`);
    });
  }

  /** A charge that a person took for that of another attempt is booked twice by now: a person hears of it. */
  async #write(tx: Transaction, written: readonly Recorded[]): Promise<void> {
    const shared = await writeSettlement(
      tx,
      written.map((one) => orderRowOf(one, this.#options)),
    );
    await buryAll(
      tx,
      shared.map((charge): DeadLetterDraft => {
        const { attempt_id, payment_order_id, psp_reference, charged_attempt_id, resolved_attempt_id } =
          charge;
        const reason =
          `The PSP names ${psp_reference} as the charge of ${charged_attempt_id}, but a person resolved ` +
          `${resolved_attempt_id} with it: one of the two is booked without money.`;
        const payload = { payment_order_id, attempt_id };
        return {
          queue: "payment_execute",
          subject_id: payment_order_id,
          payload,
          kind: "discrepancy",
          reason,
          attempt_count: 1,
        };
      }),
    );
  }
}

const executeJobOf = (source: ReportSource): Job<"payment_execute">[] =>
  (source.kind === "charge" || source.kind === "inquiry") && source.job !== null ? [source.job] : [];

function modifyJobOf(source: ReportSource): Job<"payment_modify">[] {
  if (source.kind === "modification") return [source.job];
  return source.kind === "resolution" && source.modification !== null ? [source.modification.job] : [];
}
