import type { Clock } from "../../clock.ts";
import { GroupCommit, sqlStateOf, type Database, type Transaction } from "../../db/db.ts";
import type { AppError } from "../../errors.ts";
import { insertAnswers, selectAnswers, type Answer, type AnswerRow } from "../../idempotency/idempotency.ts";
import type { Jobs } from "../../jobs/jobs.ts";
import type { CaptureMethod, PspRouter } from "../../psp/psp.ts";
import { assess, selectBlocked, type Blocked, type RiskLimits, type RiskSubject } from "../../risk/risk.ts";
import { first_hold, newAttempt, pageEnd } from "../charges/claim.ts";
import { crashPoint } from "../model/crash-points.ts";
import type { Executor } from "../charges/executor.ts";
import { answerRow, firstAnswers, storeAnswers } from "./intake-answers.ts";
import { insertCheckouts, selectKnown } from "../store/intake-queries.ts";
import { missing, rowsOf, type FirstTask, type IntakeRequest, type Stored } from "./intake-rows.ts";
import { classifyRequests } from "./classify-requests.ts";
import type { CardInfo, CheckoutDraft } from "../model/model.ts";
import type { Pages } from "../charges/pages.ts";
import type { CardPayment, ChargeTask } from "../charges/psp-call.ts";
import type { NewAttempt } from "../store/attempt-queries.ts";

export type IntakeOptions = {
  readonly database: Database;
  readonly jobs: Jobs;
  readonly router: PspRouter;
  readonly clock: Clock;
  /**
   * This process's own, when it has one: while it has places, orders start with their acceptance and need no
   * turn in the queue.
   */
  readonly executor: Executor | null;
  readonly pages: Pages;
  readonly limits: RiskLimits;
  /** What new orders take from their captures. */
  readonly commission_basis_points: bigint;
  readonly idempotency_hours: number;
  readonly page_seconds: number;
};

/** What became of a request; a refusal is a value, so that it does not fail its neighbours in the batch. */
type Decided =
  | { readonly answer: Answer; readonly tasks: readonly ChargeTask[]; readonly is_queued: boolean }
  /** Stored, now or before; its answer needs the PSP's page. */
  | { readonly hosted: { readonly is_new: boolean } }
  | { readonly refusal: AppError };
/**
 * Takes checkouts in: many requests share one transaction that stores them, their risk decision and their
 * jobs.
 */
export class Intake {
  readonly #options: IntakeOptions;
  readonly #group: GroupCommit<IntakeRequest, Decided>;

  constructor(options: IntakeOptions) {
    this.#options = options;
    this.#group = new GroupCommit({
      name: "intake",
      database: options.database,
      batch_items_max: 200,
      flush: (tx, requests) => this.#flush(tx, requests),
    });
  }

  /**
   * Resolves when the checkout is stored and its execution queued, or with the first answer when it
   * was taken before. Errors: `checkout_id_reused`, `idempotency_key_reused`, `payment_order_id_in_use`.
   */
  async accept(request: IntakeRequest): Promise<Answer> {
    const decided = await this.#group.submit(request);
    if ("refusal" in decided) throw decided.refusal;
    crashPoint("after_intake");
    if ("hosted" in decided) return this.#answerHosted(request, decided.hosted.is_new);
    for (const task of decided.tasks) this.#options.executor?.execute(task);
    if (decided.is_queued) this.#options.jobs.wake("payment_execute");
    return decided.answer;
  }

  async #answerHosted(request: IntakeRequest, is_new: boolean): Promise<Answer> {
    const { database, pages, clock } = this.#options;
    const body = JSON.stringify(await pages.answer(request.checkout.checkout_id, is_new));
    const answer = answerRow(request, body, this.#options.idempotency_hours);
    if (answer !== null) {
      await database
        .transaction((tx) => insertAnswers(tx, [answer], clock.now()))
        .catch((error: unknown) => {
          // The same request at the same time stored the same answer first.
          if (sqlStateOf(error) !== "23505") throw error;
        });
    }
    return { status: 202, body, is_replay: !is_new };
  }

  close(): Promise<void> {
    return this.#group.close();
  }

  async #flush(tx: Transaction, requests: readonly IntakeRequest[]): Promise<Decided[]> {
    const at = this.#options.clock.now();
    const keys = requests.flatMap((request) => request.idempotency_key ?? []);
    const [answers, known, blocked] = await Promise.all([
      keys.length === 0 ? new Map<string, AnswerRow>() : selectAnswers(tx, keys, at),
      selectKnown(
        tx,
        requests.map((request) => request.checkout.checkout_id),
        requests.flatMap((request) => request.checkout.orders.map((order) => order.payment_order_id)),
        at,
      ),
      selectBlocked(tx, requests.map(riskSubject)),
    ]);
    const classified = classifyRequests(requests, answers, known);
    const stored = await this.#store(
      tx,
      classified.flatMap((one) => ("created" in one ? one.created : [])),
      blocked,
      at,
    );
    const first = await firstAnswers(tx, classified, stored, known.created_at);
    await storeAnswers(tx, classified, first, { lifetime_hours: this.#options.idempotency_hours, at });
    return classified.map((one): Decided => {
      if ("refusal" in one) return one;
      if ("answer" in one) return { answer: one.answer, tasks: [], is_queued: false };
      const { checkout_id, payment_method } = ("created" in one ? one.created : one.repeats).checkout;
      if ("hosted_page" in payment_method) return { hosted: { is_new: "created" in one } };
      const body = first.get(checkout_id);
      if (body === undefined) throw new Error(`no answer for the checkout ${checkout_id}`);
      const answer = { status: 202, body, is_replay: "repeats" in one };
      const created = "created" in one ? stored.get(checkout_id) : undefined;
      return { answer, tasks: created?.tasks ?? [], is_queued: (created?.queued.length ?? 0) > 0 };
    });
  }

  /**
   * Stores new checkouts. Orders that the risk rules let pass start at once while the executor has places;
   * the others are queued.
   */
  async #store(
    tx: Transaction,
    requests: readonly IntakeRequest[],
    blocked: Blocked,
    at: Date,
  ): Promise<ReadonlyMap<string, Stored>> {
    if (requests.length === 0) return new Map();
    const { executor, jobs, router, limits, commission_basis_points } = this.#options;
    const verdicts = await assess(tx, limits, requests.map(riskSubject), blocked, at);
    let places = executor?.placesAtOnce() ?? 0;
    const stored = requests.map((request, index): Stored => {
      const verdict = verdicts[index] ?? missing();
      const passing = verdict.decision === "pass" ? request.checkout.orders : [];
      const { checkout_id, payment_method, capture_method } = request.checkout;
      if ("hosted_page" in payment_method) {
        return {
          request,
          verdict,
          tasks: [],
          queued: [],
          page: passing.length === 0 ? null : this.#pageAttempt(request.checkout, at),
        };
      }
      const started = passing.slice(0, places);
      places -= started.length;
      const tasks = started.map(({ payment_order_id, money }): FirstTask => {
        const psp =
          "external" in payment_method
            ? payment_method.external.psp
            : router.choose({ payment_order_id, money, card_country: payment_method.card.country ?? null });
        const attempt = newAttempt(
          { payment_order_id, checkout_id, ...money, capture_method, page_expires_at: null },
          1,
          psp,
        );
        const way =
          "external" in payment_method ? "external" : cardPayment(payment_method.card, capture_method);
        return { payment_order_id, attempt, payment_method: way, ...first_hold, job: null };
      });
      return {
        request,
        verdict,
        tasks,
        queued: passing.slice(started.length).map((order) => order.payment_order_id),
        page: null,
      };
    });
    const rows = stored.map((one) => rowsOf(one, commission_basis_points));
    const queued = stored.flatMap((one) => one.queued);
    const attempts = stored.flatMap((one) => [
      ...one.tasks.map((task) => task.attempt),
      ...(one.page === null ? [] : [one.page]),
    ]);
    await Promise.all([
      insertCheckouts(
        tx,
        rows.map((row) => row.event),
        rows.flatMap((row) => row.orders),
        attempts,
        at,
      ),
      jobs.enqueue(
        tx,
        "payment_execute",
        queued.map((payment_order_id) => ({ data: { payment_order_id } })),
      ),
    ]);
    return new Map(stored.map((one) => [one.request.checkout.checkout_id, one]));
  }

  /** One attempt for the whole checkout. */
  #pageAttempt({ checkout_id, orders, capture_method }: CheckoutDraft, at: Date): NewAttempt {
    const [first] = orders;
    const currency = first?.money.currency ?? missing();
    const amount_minor = orders.reduce((sum, order) => sum + order.money.amount_minor, 0n);
    const page_expires_at = pageEnd(at, this.#options.page_seconds);
    const facts = {
      payment_order_id: first?.payment_order_id ?? missing(),
      money: { amount_minor, currency },
      card_country: null,
    };
    // The HTTP door let no checkout through for which there is none.
    const psp = this.#options.router.chooseForPage(facts) ?? missing();
    return newAttempt(
      { payment_order_id: null, checkout_id, amount_minor, currency, capture_method, page_expires_at },
      1,
      psp,
    );
  }
}

const riskSubject = ({ checkout }: IntakeRequest): RiskSubject => ({
  checkout_id: checkout.checkout_id,
  buyer_account: checkout.buyer_info.user_id,
  buyer_email: checkout.buyer_info.email,
  orders: checkout.orders,
});

const cardPayment = ({ token, return_url }: CardInfo, capture_method: CaptureMethod): CardPayment => ({
  card_token: token,
  capture_method,
  return_url: return_url ?? null,
});
