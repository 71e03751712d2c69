import { GroupCommit, type Database, type Transaction } from "../db/db.ts";
import { buryAll, type DeadLetterDraft, type Jobs } from "../jobs/jobs.ts";
import { postAll, reversalsOf } from "../ledger/ledger.ts";
import { ordersFinal } from "../metrics.ts";
import type { PspRouter } from "../psp/psp.ts";
import type { Sealing } from "../sealing.ts";
import { markMessages } from "../webhooks/webhooks.ts";
import { crashPoint } from "./crash-points.ts";
import { markAuthorizationsEnded, writeModifications } from "./modification-outcome-queries.ts";
import type { News, OrderNews, Settled } from "./news.ts";
import { postingsOf, undoneSources } from "./postings.ts";
import type { RetryPolicies } from "./retry-policies.ts";
import { modificationRowOf, orderRowOf } from "./settled-rows.ts";
import { factsOf, factsOfNews } from "./settlement-facts.ts";
import { followModificationsUp, followUp } from "./settlement-follow-up.ts";
import { lockForSettlement, selectOrdersOfAttempts, writeSettlement } from "./settlement-queries.ts";
import { decide } from "./state-machine.ts";

export type SettlementOptions = {
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
export class Settlement {
  readonly #options: SettlementOptions;
  readonly #group: GroupCommit<News, "settled">;

  constructor(options: SettlementOptions) {
    this.#options = options;
    this.#group = new GroupCommit({
      name: "settlement",
      database: options.database,
      batch_items_max: 200,
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
    const orders =
      pages.length === 0 ? new Map<string, readonly string[]>() : await selectOrdersOfAttempts(tx, pages);
    return news.flatMap((one): OrderNews[] => {
      const ids = one.payment_order_id === null ? (orders.get(one.attempt_id) ?? []) : [one.payment_order_id];
      return ids.map((payment_order_id, index) => ({
        ...one,
        payment_order_id,
        is_first: index === 0,
        ...(index === 0 ? {} : { job: null, modification_job: null, message_id: null }),
      }));
    });
  }

  async #settleRound(tx: Transaction, news: readonly OrderNews[]): Promise<void> {
    const { jobs, policies, random, router } = this.#options;
    const rows = new Map(
      (await lockForSettlement(tx, news)).map((row) => [row.payment_order_id as string, row]),
    );
    const settled = news.flatMap((one): Settled[] => {
      const row = rows.get(one.payment_order_id);
      if (row === undefined)
        throw new Error(`no order ${one.payment_order_id} with the attempt ${one.attempt_id}`);
      // An account that is configured no more still has old news.
      const releases_rest = !router.has(row.psp) || router.get(row.psp).releases_rest;
      const can_be_asked = !router.isExternal(row.psp);
      const decision = decide({
        ...factsOf(row),
        ...factsOfNews(one, row),
        releases_rest,
        can_be_asked,
        policies,
        random: random(),
      });
      return decision === null ? [] : [{ news: one, row, decision }];
    });
    const written = settled.filter(({ decision }) => !decision.is_unchanged);
    await Promise.all([
      this.#post(tx, written),
      // What is captured now is under way no more: said first, for a constraint bounds the two together.
      writeModifications(tx, settled.flatMap(modificationRowOf)),
      this.#write(tx, written),
      markAuthorizationsEnded(
        tx,
        settled.flatMap(({ row: { attempt_id }, decision: { authorization_ended_as } }) =>
          authorization_ended_as === null ? [] : [{ attempt_id, authorization_ended_as }],
        ),
      ),
      followUp(tx, jobs, settled),
      followModificationsUp(tx, jobs, settled),
      jobs.complete(
        tx,
        "payment_execute",
        news.flatMap((one) => one.job ?? []),
      ),
      jobs.complete(
        tx,
        "payment_modify",
        news.flatMap((one) => one.modification_job ?? []),
      ),
      markMessages(
        tx,
        news.flatMap((one) => one.message_id ?? []),
        "applied",
        null,
      ),
    ]);
    for (const { row, decision } of written)
      if (decision.order_status !== row.status) ordersFinal.inc({ status: decision.order_status });
  }

  async #post(tx: Transaction, settled: readonly Settled[]): Promise<void> {
    const drafts = settled.flatMap(({ row, decision }) => {
      const isOfModification = row.attempt_status === "authorized" || decision.undoes_minor > 0n;
      const modification_id = isOfModification ? row.modification_id : null;
      return postingsOf({ ...row, modification_id }, decision, this.#options.commission_basis_points);
    });
    const undone = settled.flatMap(({ row, decision }) => undoneSources(row, decision));
    // In one call with the postings: two calls could lock accounts in another order than other transactions.
    drafts.push(...(await reversalsOf(tx, undone, "the capture failed at the PSP")));
    const postings = await postAll(tx, drafts);
    postings.forEach((posting, index) => {
      if (posting.outcome !== "posted")
        throw new Error(`${drafts[index]?.source} was not posted: ${posting.outcome}`);
    });
  }

  /** A charge that a person took for that of another attempt is booked twice by now: a person hears of it. */
  async #write(tx: Transaction, written: readonly Settled[]): Promise<void> {
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
