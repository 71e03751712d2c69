import { now } from "../clock.ts";
import { GroupCommit, type Database, type Transaction } from "../db/db.ts";
import { AppError } from "../errors.ts";
import { insertAnswers, replayOf, selectAnswers, type Answer, type AnswerRow } from "../idempotency/idempotency.ts";
import type { Jobs } from "../jobs/jobs.ts";
import type { PspRouter } from "../psp/psp.ts";
import { assess, selectBlocked, type Blocked, type RiskLimits, type RiskSubject, type RiskVerdict } from "../risk/risk.ts";
import { executor_actor, newAttempt } from "./claim.ts";
import { crashPoint } from "./crash-points.ts";
import type { Executor } from "./executor.ts";
import { insertCheckouts, selectKnown, type KnownRows, type NewEvent, type NewOrder } from "./intake-queries.ts";
import type { PaymentOrderId } from "../ids.ts";
import type { CheckoutDraft } from "./model.ts";
import type { Task } from "./psp-call.ts";
import { selectEvent, selectOrdersOfCheckouts } from "./queries.ts";
import type { NewAttempt } from "./settlement-queries.ts";
import { acceptedView, firstStatus } from "./views.ts";

/** A checkout with what makes its request recognisable when it comes again. */
export type IntakeRequest = {
  readonly checkout: CheckoutDraft;
  readonly fingerprint: Buffer;
  readonly idempotency_key: string | null;
  readonly actor: string;
};

export type IntakeOptions = {
  readonly database: Database;
  readonly jobs: Jobs;
  readonly router: PspRouter;
  /** This process's own, when it has one: while it has places, orders start with their acceptance and need no turn in the queue. */
  readonly executor: Executor | null;
  readonly limits: RiskLimits;
  readonly idempotency_hours: number;
};

/** What became of a request; a refusal is a value, so that it does not fail its neighbours in the batch. */
type Decided = { readonly answer: Answer; readonly tasks: readonly Task[]; readonly is_queued: boolean } | { readonly refusal: AppError };
type FirstTask = Task & { readonly attempt: NewAttempt };
type Stored = {
  readonly request: IntakeRequest;
  readonly verdict: RiskVerdict;
  readonly tasks: readonly FirstTask[];
  readonly queued: readonly PaymentOrderId[];
};
type Sorted = { readonly answer: Answer } | { readonly refusal: AppError } | { readonly created: IntakeRequest } | { readonly repeats: IntakeRequest };

/** Takes checkouts in: many requests share one transaction that stores them, their risk decision and their jobs. */
export class Intake {
  readonly #options: IntakeOptions;
  readonly #group: GroupCommit<IntakeRequest, Decided>;

  constructor(options: IntakeOptions) {
    this.#options = options;
    this.#group = new GroupCommit({
      name: "intake", database: options.database, batch_items_max: 200,
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
    for (const task of decided.tasks) this.#options.executor?.execute(task);
    if (decided.is_queued) this.#options.jobs.wake("payment_execute");
    return decided.answer;
  }

  close(): Promise<void> {
    return this.#group.close();
  }

  async #flush(tx: Transaction, requests: readonly IntakeRequest[]): Promise<Decided[]> {
    const keys = requests.flatMap((request) => request.idempotency_key ?? []);
    const [answers, known, blocked] = await Promise.all([
      keys.length === 0 ? [] : selectAnswers(tx, keys),
      selectKnown(
        tx,
        requests.map((request) => request.checkout.checkout_id),
        requests.flatMap((request) => request.checkout.orders.map((order) => order.payment_order_id)),
      ),
      selectBlocked(tx, requests.map(riskSubject)),
    ]);
    const sorted = sort(requests, answers, known);
    const stored = await this.#store(tx, sorted.flatMap((one) => ("created" in one ? one.created : [])), blocked);
    const first = await this.#firstAnswers(tx, sorted, stored, known.created_at);
    await this.#storeAnswers(tx, sorted, first);
    return sorted.map((one): Decided => {
      if ("refusal" in one) return one;
      if ("answer" in one) return { answer: one.answer, tasks: [], is_queued: false };
      const { checkout_id } = ("created" in one ? one.created : one.repeats).checkout;
      const body = first.get(checkout_id);
      if (body === undefined) throw new Error(`no answer for the checkout ${checkout_id}`);
      const answer = { status: 202, body, is_replay: "repeats" in one };
      const created = "created" in one ? stored.get(checkout_id) : undefined;
      return { answer, tasks: created?.tasks ?? [], is_queued: (created?.queued.length ?? 0) > 0 };
    });
  }

  /** Stores new checkouts. Orders that the risk rules let pass start at once while the executor has places; the others are queued. */
  async #store(tx: Transaction, requests: readonly IntakeRequest[], blocked: Blocked): Promise<ReadonlyMap<string, Stored>> {
    if (requests.length === 0) return new Map();
    const { executor, jobs, router, limits } = this.#options;
    const verdicts = await assess(tx, limits, requests.map(riskSubject), blocked);
    let places = executor?.placesAtOnce() ?? 0;
    const stored = requests.map((request, index): Stored => {
      const verdict = verdicts[index] ?? missing();
      const passing = verdict.decision === "pass" ? request.checkout.orders : [];
      const started = passing.slice(0, places);
      places -= started.length;
      const tasks = started.map(({ payment_order_id, money }): FirstTask => {
        const order = { payment_order_id, checkout_id: request.checkout.checkout_id, ...money };
        const attempt = newAttempt(order, 1, router.choose());
        return { payment_order_id, attempt, card_token: request.checkout.credit_card_info.token, opened_at: now(), is_first_send: true, job: null };
      });
      return { request, verdict, tasks, queued: passing.slice(started.length).map((order) => order.payment_order_id) };
    });
    const rows = stored.map(rowsOf);
    const queued = stored.flatMap((one) => one.queued);
    await Promise.all([
      insertCheckouts(tx, rows.map((row) => row.event), rows.flatMap((row) => row.orders), stored.flatMap((one) => one.tasks.map((task) => task.attempt))),
      jobs.enqueue(tx, "payment_execute", queued.map((payment_order_id) => ({ data: { payment_order_id } }))),
    ]);
    return new Map(stored.map((one) => [one.request.checkout.checkout_id, one]));
  }

  /** The body of the first answer by checkout: of those created now, and rebuilt for those known before. */
  async #firstAnswers(
    tx: Transaction, sorted: readonly Sorted[], stored: ReadonlyMap<string, Stored>, created_at: string,
  ): Promise<Map<string, string>> {
    const bodies = new Map<string, string>();
    for (const one of sorted) {
      if (!("created" in one)) continue;
      const { checkout } = one.created;
      const risk_decision = (stored.get(checkout.checkout_id) ?? missing()).verdict.decision;
      const orders = checkout.orders.map(({ money, ...order }) => ({ ...order, ...money }));
      bodies.set(checkout.checkout_id, JSON.stringify(acceptedView({ checkout_id: checkout.checkout_id, risk_decision, created_at }, orders)));
    }
    const before = sorted.flatMap((one) => ("repeats" in one && !bodies.has(one.repeats.checkout.checkout_id) ? one.repeats.checkout.checkout_id : []));
    const orders = before.length === 0 ? [] : await selectOrdersOfCheckouts(tx, before);
    for (const checkoutId of new Set(before)) {
      const event = await selectEvent(tx, checkoutId);
      if (event === undefined) throw new Error(`the checkout ${checkoutId} vanished`);
      bodies.set(checkoutId, JSON.stringify(acceptedView(event, orders.filter((order) => order.checkout_id === checkoutId))));
    }
    return bodies;
  }

  async #storeAnswers(tx: Transaction, sorted: readonly Sorted[], bodies: ReadonlyMap<string, string>): Promise<void> {
    const answers = new Map(sorted.flatMap((one) => {
      const request = "created" in one ? one.created : "repeats" in one ? one.repeats : undefined;
      if (request === undefined || request.idempotency_key === null) return [];
      return [[request.idempotency_key, {
        idempotency_key: request.idempotency_key,
        fingerprint: request.fingerprint,
        lifetime_hours: this.#options.idempotency_hours,
        response_status: 202,
        response_body: bodies.get(request.checkout.checkout_id) ?? "",
      }] as const];
    }));
    await insertAnswers(tx, [...answers.values()]);
  }
}

/** Tells new checkouts from repeated and refused ones, in the order of arrival; earlier ones of the batch count as known. */
function sort(requests: readonly IntakeRequest[], stored: readonly AnswerRow[], known: KnownRows): Sorted[] {
  const answers = new Map(stored.map((answer) => [answer.idempotency_key, answer]));
  const keys = new Map<string, string>();
  const events = new Map((known.events ?? []).map((event) => [event.checkout_id, event.request_fingerprint]));
  const owners = new Map((known.orders ?? []).map((order) => [order.payment_order_id, order.checkout_id]));
  return requests.map((request): Sorted => {
    const { checkout, idempotency_key } = request;
    const fingerprint = request.fingerprint.toString("hex");
    if (idempotency_key !== null) {
      const answer = answers.get(idempotency_key);
      if (answer !== undefined) return replay(answer, request.fingerprint);
      if ((keys.get(idempotency_key) ?? fingerprint) !== fingerprint) {
        return { refusal: new AppError("idempotency_key_reused", "This Idempotency-Key was sent with another request before.", { param: "Idempotency-Key" }) };
      }
    }
    const before = events.get(checkout.checkout_id);
    if (before !== undefined && before !== fingerprint) {
      return { refusal: new AppError("checkout_id_reused", `The checkout ${checkout.checkout_id} was sent with another content before.`, { param: "checkout_id" }) };
    }
    const taken = checkout.orders.findIndex((order) => (owners.get(order.payment_order_id) ?? checkout.checkout_id) !== checkout.checkout_id);
    if (taken >= 0) {
      const param = `payment_orders[${taken}][payment_order_id]`;
      return { refusal: new AppError("payment_order_id_in_use", "The order belongs to another checkout.", { param }) };
    }
    if (idempotency_key !== null) keys.set(idempotency_key, fingerprint);
    if (before !== undefined) return { repeats: request };
    events.set(checkout.checkout_id, fingerprint);
    for (const order of checkout.orders) owners.set(order.payment_order_id, checkout.checkout_id);
    return { created: request };
  });
}

function replay(answer: AnswerRow, fingerprint: Buffer): Sorted {
  try {
    return { answer: replayOf(answer, fingerprint) };
  } catch (error) {
    if (error instanceof AppError) return { refusal: error };
    throw error;
  }
}

const riskSubject = ({ checkout }: IntakeRequest): RiskSubject => ({
  checkout_id: checkout.checkout_id,
  buyer_account: checkout.buyer_info.user_id,
  buyer_email: checkout.buyer_info.email,
  orders: checkout.orders,
});

const firstCause = { pass: "accepted", review: "risk_review", reject: "risk_rejected" } as const;

function rowsOf({ request, verdict, tasks }: Stored): { event: NewEvent; orders: NewOrder[] } {
  const { checkout, actor } = request;
  const rejected = verdict.decision === "reject";
  const attempts = new Map(tasks.map((task) => [task.payment_order_id, task.attempt.attempt_id]));
  return {
    event: {
      checkout_id: checkout.checkout_id,
      buyer_info: checkout.buyer_info,
      seller_info: checkout.seller_info,
      credit_card_info: checkout.credit_card_info,
      unfinished_order_count: checkout.orders.length,
      request_fingerprint: request.fingerprint.toString("hex"),
      risk_decision: verdict.decision,
      risk_reasons: verdict.reasons,
    },
    orders: checkout.orders.map((order, position) => {
      const attempt_id = attempts.get(order.payment_order_id);
      return {
        payment_order_id: order.payment_order_id,
        checkout_id: checkout.checkout_id,
        position,
        buyer_account: checkout.buyer_info.user_id,
        seller_account: order.seller_account,
        amount_minor: String(order.money.amount_minor),
        currency: order.money.currency,
        created_by: actor,
        ...(attempt_id === undefined
          ? { status: firstStatus[verdict.decision], status_cause: firstCause[verdict.decision], status_actor: actor, attempt_id: null }
          : { status: "EXECUTING", status_cause: "execution_started", status_actor: executor_actor, attempt_id }),
        error_code: rejected ? "risk_rejected" : null,
        error_message: rejected ? verdict.reasons.join("; ").slice(0, 500) : null,
      };
    }),
  };
}

function missing(): never {
  throw new Error("a checkout without a risk verdict");
}
