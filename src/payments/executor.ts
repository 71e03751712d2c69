import { monotonicMilliseconds } from "../clock.ts";
import type { Database, Transaction } from "../db/db.ts";
import { attemptId, newId, type CheckoutId, type PaymentOrderId } from "../ids.ts";
import { WorkLoop, type Job, type Jobs } from "../jobs/jobs.ts";
import type { Logger } from "../log.ts";
import { toCurrencyCode } from "../money/money.ts";
import type { ChargeRequest, PspOutcome, PspRouter } from "../psp/psp.ts";
import { crashPoint } from "./crash-points.ts";
import type { AttemptRow, OrderRow } from "./model.ts";
import type { Settlement } from "./settlement.ts";
import {
  lockOrders, openAttempts, selectAttemptsById, selectExecutionDetails, selectOpenAttempts, type NewAttempt,
} from "./settlement-queries.ts";

export type ExecutorOptions = {
  readonly database: Database;
  readonly jobs: Jobs;
  readonly router: PspRouter;
  readonly settlement: Settlement;
  readonly log: Logger;
  /** PSP calls at the same time. */
  readonly concurrency: number;
  readonly idle_poll_ms: number;
};

/** One order to bring forward: a first charge, or an attempt whose outcome must be asked for. */
type Task = { readonly job: Job<"payment_execute">; readonly attempt: AttemptRow; readonly card_token: string; readonly is_first_send: boolean };

const actor = "executor";

/** Claims orders in batches, calls the PSP for each outside any transaction, and hands the outcomes to settlement. */
export class Executor {
  readonly #options: ExecutorOptions;
  readonly #loop: WorkLoop;
  readonly #running = new Set<Promise<void>>();

  constructor(options: ExecutorOptions) {
    this.#options = options;
    this.#loop = new WorkLoop({ name: "payment_execute", log: options.log, idle_poll_ms: options.idle_poll_ms, run: () => this.#run() });
    options.jobs.onWake("payment_execute", () => this.#loop.wake());
  }

  start(): void {
    this.#loop.start();
  }

  /** Resolves when the calls under way are settled; nothing new is claimed. */
  async stop(): Promise<void> {
    await this.#loop.stop();
    await Promise.all(this.#running);
  }

  async #run(): Promise<number> {
    // Claim only when a good part of the places is free: small claims cost as much as large ones.
    while (this.#options.concurrency - this.#running.size < Math.max(1, this.#options.concurrency / 4)) {
      await Promise.race(this.#running);
    }
    const free = this.#options.concurrency - this.#running.size;
    const { claimed_count, tasks } = await this.#options.database.transaction((tx) => claimTasks(tx, this.#options, free));
    for (const task of tasks) this.#start(task);
    return claimed_count;
  }

  #start(task: Task): void {
    const run = this.#execute(task).catch((error: unknown) => this.#giveBack(task, error));
    const tracked = run.finally(() => this.#running.delete(tracked));
    this.#running.add(tracked);
  }

  async #execute(task: Task): Promise<void> {
    const { job, attempt, is_first_send } = task;
    crashPoint("after_claim");
    const start = monotonicMilliseconds();
    const outcome = await callPsp(this.#options.router, task);
    const psp_call_ms = monotonicMilliseconds() - start;
    crashPoint("after_psp_call");
    await this.#options.settlement.settle({
      payment_order_id: job.data.payment_order_id, attempt_id: attempt.attempt_id, outcome, actor,
      is_first_send, is_inquiry: !is_first_send, psp_call_ms, job, message_id: null,
    });
    crashPoint("after_settlement");
  }

  /** A bug or a lost database: the job goes back to the queue, and past its limit to the dead letters. */
  async #giveBack(task: Task, error: unknown): Promise<void> {
    const { log, database, jobs } = this.#options;
    log.error({ err: error, payment_order_id: task.job.data.payment_order_id, attempt_id: task.attempt.attempt_id }, "execution failed");
    const reason = error instanceof Error ? error.message : String(error);
    await database.transaction((tx) => jobs.fail(tx, "payment_execute", [task.job], reason)).catch((failure: unknown) => {
      // The lease ends by the database's clock, so the job comes back even when this could not be said.
      log.error({ err: failure }, "a job could not be given back");
    });
  }
}

/** Group commit 2: claimed jobs, their attempts with the PSP key, and the orders in EXECUTING. */
async function claimTasks(tx: Transaction, options: ExecutorOptions, count: number): Promise<{ claimed_count: number; tasks: readonly Task[] }> {
  const jobs = await options.jobs.claim(tx, "payment_execute", count);
  if (jobs.length === 0) return { claimed_count: 0, tasks: [] };
  const ids = [...new Set(jobs.map((job) => job.data.payment_order_id))];
  const orders = new Map((await lockOrders(tx, ids)).map((order) => [order.payment_order_id as string, order]));
  const open = new Map((await selectOpenAttempts(tx, ids)).map((attempt) => [attempt.payment_order_id as string, attempt]));
  const details = new Map((await selectExecutionDetails(tx, ids)).map((detail) => [detail.payment_order_id, detail]));
  const fresh = new Map<string, NewAttempt>();
  for (const order of orders.values()) {
    if (open.has(order.payment_order_id) || !mayStart(order)) continue;
    fresh.set(order.payment_order_id, newAttempt(order, options.router.choose(), details.get(order.payment_order_id)?.attempt_count ?? 0));
  }
  await openAttempts(tx, [...fresh.values()], actor);
  const opened = await selectAttemptsById(tx, [...fresh.values()].map((attempt) => attempt.attempt_id));
  for (const attempt of opened) open.set(attempt.payment_order_id as string, attempt);

  const seen = new Set<string>();
  const tasks = jobs.flatMap((job): Task[] => {
    const attempt = open.get(job.data.payment_order_id);
    const card_token = details.get(job.data.payment_order_id)?.card_token;
    if (attempt === undefined || card_token === undefined || seen.has(job.data.payment_order_id)) return [];
    seen.add(job.data.payment_order_id);
    return [{ job, attempt, card_token, is_first_send: fresh.has(job.data.payment_order_id) }];
  });
  // Jobs of orders that are final, wait for a person, or stand twice in the batch have nothing to do.
  await options.jobs.complete(tx, "payment_execute", jobs.filter((job) => !tasks.some((task) => task.job === job)));
  return { claimed_count: jobs.length, tasks };
}

const mayStart = (order: OrderRow): boolean =>
  order.status === "NOT_STARTED" || order.status === "RETRY_SCHEDULED" || order.status === "EXECUTING";

function newAttempt(order: { payment_order_id: PaymentOrderId; checkout_id: CheckoutId }, psp: string, attemptCount: number): NewAttempt {
  const attempt_id = newId("att");
  return {
    attempt_id, checkout_id: order.checkout_id, payment_order_id: order.payment_order_id,
    attempt_number: attemptCount + 1, psp, psp_key: attempt_id,
  };
}

/**
 * A first send charges. Anything else asks first: by then the charge may have happened. Only when the
 * PSP knows nothing of it is the same request sent again, under the same key, so that it cannot double.
 */
async function callPsp(router: PspRouter, task: Task): Promise<PspOutcome> {
  const { attempt } = task;
  if (!task.is_first_send) {
    const found = await router.inquire(attempt.psp, {
      attempt_id: attempt.attempt_id, psp_key: attempt.psp_key, psp_reference: attempt.psp_reference,
      money: { amount_minor: attempt.amount_minor, currency: toCurrencyCode(attempt.currency) },
    });
    if (found.kind !== "not_found") return found;
  }
  return router.charge(attempt.psp, chargeRequest(attempt, task.card_token));
}

function chargeRequest(attempt: AttemptRow, card_token: string): ChargeRequest {
  return {
    attempt_id: attemptId(attempt.attempt_id),
    psp_key: attempt.psp_key,
    checkout_id: attempt.checkout_id,
    payment_order_id: attempt.payment_order_id,
    money: { amount_minor: attempt.amount_minor, currency: toCurrencyCode(attempt.currency) },
    card_token,
  };
}
