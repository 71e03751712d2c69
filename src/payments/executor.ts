import { monotonicMilliseconds } from "../clock.ts";
import type { Database, Transaction } from "../db/db.ts";
import { newId } from "../ids.ts";
import { WorkLoop, type Job, type Jobs } from "../jobs/jobs.ts";
import type { Logger } from "../log.ts";
import { toCurrencyCode } from "../money/money.ts";
import type { ChargeRequest, PspOutcome, PspRouter } from "../psp/psp.ts";
import { crashPoint } from "./crash-points.ts";
import type { AttemptRow } from "./model.ts";
import type { Settlement } from "./settlement.ts";
import { lockForExecution, openAttempts, selectAttemptsById, type ExecutableRow, type NewAttempt } from "./settlement-queries.ts";

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

/** An attempt to bring forward: a first charge, or one whose outcome must be asked for. */
type Task = {
  readonly job: Job<"payment_execute">;
  readonly attempt: Pick<AttemptRow, "attempt_id" | "checkout_id" | "payment_order_id" | "psp" | "psp_key" | "psp_reference" | "amount_minor" | "currency">;
  readonly card_token: string;
  readonly is_first_send: boolean;
};

const actor = "executor";

/** Claims orders in batches, calls the PSP for each outside any transaction, and hands the outcomes to settlement. */
export class Executor {
  readonly #options: ExecutorOptions;
  readonly #loop: WorkLoop;
  /** Tasks under way, whose PSP call or whose settlement is not done. */
  readonly #running = new Set<Promise<void>>();
  #callsRunning = 0;
  #onPlaceFree: () => void = () => undefined;

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
    const { concurrency } = this.#options;
    // Claim only when a good part of the places is free: small claims cost as much as large ones.
    // A place is free once its call has an outcome; waiting for the commit must not hold it.
    while (concurrency - this.#callsRunning < Math.max(1, concurrency / 4) || this.#running.size > 4 * concurrency) {
      await new Promise<void>((resolve) => {
        this.#onPlaceFree = resolve;
      });
    }
    const free = Math.min(concurrency - this.#callsRunning, this.#options.router.callsAllowed());
    if (free === 0) return 0;
    const { claimed_count, tasks } = await this.#options.database.transaction((tx) => claimTasks(tx, this.#options, free));
    for (const task of tasks) this.#start(task);
    // A claim that was not filled has emptied the queue: whoever adds to it wakes the loop again.
    return claimed_count === free ? claimed_count : 0;
  }

  #start(task: Task): void {
    this.#callsRunning += 1;
    const run = this.#execute(task).catch((error: unknown) => this.#giveBack(task, error));
    const tracked = run.finally(() => {
      this.#running.delete(tracked);
      this.#onPlaceFree();
    });
    this.#running.add(tracked);
  }

  async #execute(task: Task): Promise<void> {
    const { job, attempt, is_first_send } = task;
    crashPoint("after_claim");
    const start = monotonicMilliseconds();
    const outcome = await callPsp(this.#options.router, task).finally(() => {
      this.#callsRunning -= 1;
      this.#onPlaceFree();
    });
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
  const jobOf = new Map(jobs.map((job) => [job.data.payment_order_id, job]));
  const orders = await lockForExecution(tx, [...jobOf.keys()]);
  const opened = orders.filter(mayStart).map((order) => newAttempt(order, options.router.choose()));
  await openAttempts(tx, opened, actor);
  const openIds = orders.flatMap((order) => order.open_attempt_id ?? []);
  const open = openIds.length === 0 ? [] : await selectAttemptsById(tx, openIds);

  const tokens = new Map(orders.map((order) => [order.payment_order_id, order.card_token]));
  const tasks = [
    ...opened.map((attempt) => ({ attempt: { ...attempt, psp_reference: null }, is_first_send: true })),
    ...open.map((attempt) => ({ attempt, is_first_send: false })),
  ].flatMap(({ attempt, is_first_send }): Task[] => {
    const job = attempt.payment_order_id === null ? undefined : jobOf.get(attempt.payment_order_id);
    const card_token = attempt.payment_order_id === null ? undefined : tokens.get(attempt.payment_order_id);
    return job === undefined || card_token === undefined ? [] : [{ job, attempt, card_token, is_first_send }];
  });
  // Jobs of orders that are final, wait for a person, or stand twice in the batch have nothing to do.
  const busy = new Set(tasks.map((task) => task.job));
  await options.jobs.complete(tx, "payment_execute", jobs.filter((job) => !busy.has(job)));
  return { claimed_count: jobs.length, tasks };
}

/** An order without an open attempt whose next step is a charge. */
const mayStart = (order: ExecutableRow): boolean =>
  order.open_attempt_id === null && (order.status === "NOT_STARTED" || order.status === "RETRY_SCHEDULED" || order.status === "EXECUTING");

function newAttempt(order: ExecutableRow, psp: string): NewAttempt {
  const { payment_order_id, checkout_id, amount_minor, currency } = order;
  const attempt_id = newId("att");
  return { attempt_id, checkout_id, payment_order_id, amount_minor, currency, attempt_number: order.attempt_count + 1, psp, psp_key: attempt_id };
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

function chargeRequest(attempt: Task["attempt"], card_token: string): ChargeRequest {
  return {
    attempt_id: attempt.attempt_id,
    psp_key: attempt.psp_key,
    checkout_id: attempt.checkout_id,
    payment_order_id: attempt.payment_order_id,
    money: { amount_minor: attempt.amount_minor, currency: toCurrencyCode(attempt.currency) },
    card_token,
  };
}
