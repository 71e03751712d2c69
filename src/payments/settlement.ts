import { GroupCommit, type Database, type Transaction } from "../db/db.ts";
import { buryAll, type DeadLetterDraft, type Job, type Jobs } from "../jobs/jobs.ts";
import { postAll } from "../ledger/ledger.ts";
import { ordersFinal } from "../metrics.ts";
import type { PspOutcome } from "../psp/psp.ts";
import { markMessages } from "../webhooks/webhooks.ts";
import { crashPoint } from "./crash-points.ts";
import { capturePosting } from "./postings.ts";
import type { RetryPolicies } from "./retry-policies.ts";
import { lockForSettlement, writeSettlement, type OpenRow, type SettledOrder } from "./settlement-queries.ts";
import { decide, type Decision } from "./state-machine.ts";

/** News about one attempt, from a call, an inquiry or a webhook. */
export type News = {
  readonly payment_order_id: string;
  readonly attempt_id: string;
  readonly outcome: PspOutcome;
  readonly actor: string;
  readonly is_first_send: boolean;
  readonly is_inquiry: boolean;
  /** How long the PSP took to say it; null when it came by webhook. */
  readonly psp_call_ms: number | null;
  /** The job that led here; completed in the same commit. */
  readonly job: Job<"payment_execute"> | null;
  /** The webhook that said it; marked as applied in the same commit. */
  readonly message_id: string | null;
};

export type SettlementOptions = {
  readonly database: Database;
  readonly jobs: Jobs;
  readonly policies: RetryPolicies;
  readonly commission_basis_points: bigint;
  readonly random: () => number;
};

type Settled = { readonly news: News; readonly row: OpenRow; readonly decision: Decision };

/** Writes outcomes: order, attempt, history, ledger, wallet, event and job change in one shared commit. */
export class Settlement {
  readonly #options: SettlementOptions;
  readonly #group: GroupCommit<News, "settled">;

  constructor(options: SettlementOptions) {
    this.#options = options;
    this.#group = new GroupCommit({
      name: "settlement", database: options.database, batch_items_max: 200,
      flush: async (tx, news) => {
        await this.#flush(tx, news);
        crashPoint("in_settlement");
        return news.map(() => "settled" as const);
      },
    });
  }

  /** Resolves once the news are written, or were known. */
  async settle(news: News): Promise<void> {
    await this.#group.submit(news);
  }

  close(): Promise<void> {
    return this.#group.close();
  }

  /** Several news about one order are taken one after another, each deciding on what the former left. */
  async #flush(tx: Transaction, news: readonly News[]): Promise<void> {
    let rest = [...news];
    while (rest.length > 0) {
      const orderIds = new Set<string>();
      const round = rest.filter(({ payment_order_id }) => {
        const isFirst = !orderIds.has(payment_order_id);
        orderIds.add(payment_order_id);
        return isFirst;
      });
      rest = rest.filter((one) => !round.includes(one));
      await this.#settleRound(tx, round);
    }
  }

  async #settleRound(tx: Transaction, news: readonly News[]): Promise<void> {
    const rows = new Map((await lockForSettlement(tx, news)).map((row) => [row.attempt_id as string, row]));
    const settled = news.flatMap((one): Settled[] => {
      const row = rows.get(one.attempt_id);
      if (row === undefined) throw new Error(`no order ${one.payment_order_id} with the attempt ${one.attempt_id}`);
      const decision = decide({
        order: row, attempt: { ...row, status: row.attempt_status }, outcome: one.outcome, is_first_send: one.is_first_send,
        policies: this.#options.policies, random: this.#options.random(),
      });
      return decision === null ? [] : [{ news: one, row, decision }];
    });
    const written = settled.filter(({ decision }) => !decision.is_alarm_only);
    await Promise.all([
      this.#post(tx, written),
      written.length === 0 ? undefined : writeSettlement(tx, written.map(rowOf)),
      this.#followUp(tx, settled),
      this.#options.jobs.complete(tx, "payment_execute", news.flatMap((one) => one.job ?? [])),
      markMessages(tx, news.flatMap((one) => one.message_id ?? []), "applied", null),
    ]);
    for (const { decision } of written) ordersFinal.inc({ status: decision.order_status });
  }

  async #post(tx: Transaction, settled: readonly Settled[]): Promise<void> {
    const captured = settled.filter(isBooked);
    const postings = await postAll(tx, captured.map(({ row }) => capturePosting(row, row.psp, this.#options.commission_basis_points)));
    postings.forEach((posting, index) => {
      if (posting.outcome !== "posted") {
        throw new Error(`the capture of ${captured[index]?.row.payment_order_id} was not posted: ${posting.outcome}`);
      }
    });
  }

  async #followUp(tx: Transaction, settled: readonly Settled[]): Promise<void> {
    await this.#options.jobs.enqueue(tx, "payment_execute", settled.flatMap(({ row, decision }) =>
      decision.retry_delay_seconds === null ? []
        : [{ data: { payment_order_id: row.payment_order_id }, start_after_seconds: decision.retry_delay_seconds }]));
    await buryAll(tx, settled.flatMap(({ row, decision }): DeadLetterDraft[] =>
      decision.alarm === null ? [] : [{
        queue: "payment_execute",
        subject_id: row.payment_order_id,
        payload: { payment_order_id: row.payment_order_id, attempt_id: row.attempt_id },
        reason: decision.alarm,
        attempt_count: row.attempt_number,
      }]));
  }
}

/** Only a move to SUCCESS books money; an order that was SUCCESS before is never decided again. */
const isBooked = ({ row, decision }: Settled): boolean => decision.order_status === "SUCCESS" && row.status !== "SUCCESS";

function rowOf(settled: Settled): SettledOrder {
  const { news, row, decision } = settled;
  const { outcome } = news;
  return {
    payment_order_id: row.payment_order_id,
    attempt_id: row.attempt_id,
    order_status: decision.order_status,
    cause: decision.cause,
    actor: news.actor,
    attempt_status: decision.attempt_status,
    psp_reference: "psp_reference" in outcome ? outcome.psp_reference : null,
    failure_class: decision.failure_class,
    error_code: decision.error?.code ?? null,
    error_message: decision.error?.message ?? null,
    is_booked: isBooked(settled),
    is_inquired: news.is_inquiry,
    psp_call_ms: news.psp_call_ms,
    retry_delay_seconds: decision.retry_delay_seconds,
  };
}
