import { GroupCommit, type Database, type Transaction } from "../db/db.ts";
import { buryAll, type DeadLetterDraft, type Job, type Jobs } from "../jobs/jobs.ts";
import { postAll } from "../ledger/ledger.ts";
import { ordersFinal } from "../metrics.ts";
import { markMessages } from "../webhooks/webhooks.ts";
import { crashPoint } from "./crash-points.ts";
import { capturePosting } from "./postings.ts";
import type { RetryPolicies } from "./retry-policies.ts";
import { lockForSettlement, selectOrdersOfAttempts, writeSettlement, type OpenRow, type SettledOrder } from "./settlement-queries.ts";
import { decide, type AttemptOutcome, type Decision } from "./state-machine.ts";

/** News about one attempt, from a call, an inquiry or a webhook. */
export type News = {
  /** Null: the attempt covers every order of its checkout. */
  readonly payment_order_id: string | null;
  readonly attempt_id: string;
  readonly outcome: AttemptOutcome;
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

/** News about one order of an attempt; the first order's carry the job, the webhook and the next look. */
type OrderNews = News & { readonly payment_order_id: string; readonly is_first: boolean };
type Settled = { readonly news: OrderNews; readonly row: OpenRow; readonly decision: Decision };

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
    let rest = await this.#ofOrders(tx, news);
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

  async #ofOrders(tx: Transaction, news: readonly News[]): Promise<OrderNews[]> {
    const pages = news.filter((one) => one.payment_order_id === null).map((one) => one.attempt_id);
    const orders = pages.length === 0 ? new Map<string, readonly string[]>() : await selectOrdersOfAttempts(tx, pages);
    return news.flatMap((one): OrderNews[] => {
      const ids = one.payment_order_id === null ? orders.get(one.attempt_id) ?? [] : [one.payment_order_id];
      return ids.map((payment_order_id, index) => ({
        ...one, payment_order_id, is_first: index === 0, ...(index === 0 ? {} : { job: null, message_id: null }),
      }));
    });
  }

  async #settleRound(tx: Transaction, news: readonly OrderNews[]): Promise<void> {
    const rows = new Map((await lockForSettlement(tx, news)).map((row) => [row.payment_order_id as string, row]));
    const settled = news.flatMap((one): Settled[] => {
      const row = rows.get(one.payment_order_id);
      if (row === undefined) throw new Error(`no order ${one.payment_order_id} with the attempt ${one.attempt_id}`);
      const decision = decide({
        order: row, attempt: { ...row, status: row.attempt_status, amount_minor: row.attempt_amount_minor }, outcome: one.outcome, is_first_send: one.is_first_send,
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
    await this.#options.jobs.enqueue(tx, "payment_execute", settled.flatMap(({ news, row, decision }) =>
      decision.retry_delay_seconds === null || !news.is_first ? []
        : [{ data: { payment_order_id: row.payment_order_id }, start_after_seconds: decision.retry_delay_seconds }]));
    await buryAll(tx, settled.flatMap(({ news, row, decision }): DeadLetterDraft[] =>
      decision.alarm === null || !news.is_first ? [] : [{
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
  const page = outcome.kind === "registered" ? outcome : null;
  const psp_reference = "psp_reference" in outcome ? outcome.psp_reference : null;
  return {
    payment_order_id: row.payment_order_id,
    attempt_id: row.attempt_id,
    order_status: decision.order_status,
    cause: decision.cause,
    actor: news.actor,
    attempt_status: decision.attempt_status,
    psp_reference,
    psp_token: page?.page_token ?? row.page_token ?? psp_reference,
    page_token: page?.page_token ?? null,
    page_url: page?.url ?? null,
    failure_class: decision.failure_class,
    error_code: decision.error?.code ?? null,
    error_message: decision.error?.message ?? null,
    is_booked: isBooked(settled),
    is_inquired: news.is_inquiry,
    psp_call_ms: news.psp_call_ms,
    retry_delay_seconds: decision.retry_delay_seconds,
  };
}
