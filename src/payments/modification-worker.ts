import { monotonicMilliseconds } from "../clock.ts";
import type { Database, Transaction } from "../db/db.ts";
import { WorkLoop, type Job, type Jobs } from "../jobs/jobs.ts";
import type { Logger } from "../log.ts";
import { messageOf } from "../errors.ts";
import { toCurrencyCode } from "../money/money.ts";
import { authorization_ended, type ModificationAnswer, type ModificationRequest, type PspRouter } from "../psp/psp.ts";
import { executor_actor } from "./claim.ts";
import { crashPoint } from "./crash-points.ts";
import { openAttemptStatuses } from "./model.ts";
import { lockForModification, startModifications, type PursuableRow } from "./modification-queries.ts";
import type { Settlement } from "./settlement.ts";

export type ModificationWorkerOptions = {
  readonly database: Database;
  readonly jobs: Jobs;
  readonly router: PspRouter;
  readonly settlement: Settlement;
  readonly log: Logger;
  /** PSP calls at the same time. */
  readonly concurrency: number;
  readonly idle_poll_ms: number;
};

/** How soon one is looked at again whose PSP takes no calls now. */
const held_back_seconds = 1;

type Task = { readonly row: PursuableRow; readonly job: Job<"payment_modify">; readonly is_first_send: boolean };

/** Brings captures and voids forward, those of one attempt one after another. */
export class ModificationWorker {
  readonly #options: ModificationWorkerOptions;
  readonly #loop: WorkLoop;
  readonly #running = new Set<Promise<void>>();

  constructor(options: ModificationWorkerOptions) {
    this.#options = options;
    this.#loop = new WorkLoop({ name: "payment_modify", log: options.log, idle_poll_ms: options.idle_poll_ms, run: () => this.#run() });
    options.jobs.onWake("payment_modify", () => this.#loop.wake());
  }

  start(): void {
    this.#loop.start();
  }

  /** Resolves when the calls under way are settled; nothing new is claimed. */
  async stop(): Promise<void> {
    await this.#loop.stop();
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  async #run(): Promise<number> {
    const { concurrency, database } = this.#options;
    while (this.#running.size >= concurrency) await Promise.race(this.#running);
    const places = concurrency - this.#running.size;
    const { claimed_count, tasks } = await database.transaction((tx) => this.#claim(tx, places));
    for (const task of tasks) this.#start(task);
    return claimed_count < places ? 0 : claimed_count;
  }

  /** Those whose turn has not come are queued again when it does. */
  async #claim(tx: Transaction, count: number): Promise<{ claimed_count: number; tasks: readonly Task[] }> {
    const { jobs, router } = this.#options;
    const claimed = await jobs.claim(tx, "payment_modify", count);
    if (claimed.length === 0) return { claimed_count: 0, tasks: [] };
    const jobOf = new Map(claimed.map((job) => [job.data.modification_id, job]));
    const rows = await lockForModification(tx, [...jobOf.keys()]);
    const ready = rows.flatMap((row): Task[] => {
      const job = jobOf.get(row.modification_id);
      const isQueued = row.status === "queued";
      const isOver = row.status === "succeeded" || row.status === "failed";
      return job === undefined || isOver || (isQueued && row.is_blocked) ? [] : [{ row, job, is_first_send: isQueued }];
    });
    // While calls to its PSP are held back a modification keeps its state, and uses up no try.
    const tasks = ready.filter(({ row: { psp } }) => router.has(psp) && router.callsAllowedFor(psp) > 0 && router.placesFreeFor(psp) > 0);
    const later = ready.filter((task) => !tasks.includes(task));
    await startModifications(tx, tasks.map(({ row }) => row.modification_id));
    await jobs.enqueue(tx, "payment_modify", later.map(({ row }) => ({ data: { modification_id: row.modification_id }, start_after_seconds: held_back_seconds })));
    const busy = new Set(tasks.map(({ job }) => job));
    await jobs.complete(tx, "payment_modify", claimed.filter((job) => !busy.has(job)));
    return { claimed_count: claimed.length, tasks };
  }

  #start(task: Task): void {
    const tracked: Promise<void> = this.#bringForward(task)
      .catch((error: unknown) => this.#giveBack(task, error))
      .finally(() => this.#running.delete(tracked));
    this.#running.add(tracked);
  }

  async #bringForward(task: Task): Promise<void> {
    const { row, job, is_first_send } = task;
    crashPoint("after_claim");
    const start = monotonicMilliseconds();
    const outcome = await this.#ask(task);
    crashPoint("after_psp_call");
    await this.#options.settlement.settle({
      payment_order_id: row.payment_order_id, attempt_id: row.attempt_id, modification_id: row.modification_id, outcome, actor: executor_actor,
      is_first_send, is_inquiry: false, psp_call_ms: monotonicMilliseconds() - start, job: null, modification_job: job, is_answer_to_modification: true, message_id: null,
    });
    crashPoint("after_settlement");
    this.#options.jobs.wake("payment_modify");
  }

  async #ask({ row, is_first_send }: Task): Promise<ModificationAnswer> {
    const { router } = this.#options;
    const isAuthorized = row.attempt_status === "authorized";
    if (isAuthorized && row.void_cause === "declined") {
      return { kind: "failed", failure: { class: "hard_decline", code: "paid_meanwhile", message: "The buyer has authorised it meanwhile." } };
    }
    if (isAuthorized || (row.kind === "void" && openAttemptStatuses.includes(row.attempt_status))) return router.modify(row.psp, requestOf(row, is_first_send));
    return { kind: "failed", failure: { class: "hard_decline", code: authorization_ended, message: "The payment had ended." } };
  }

  /** A bug or a lost database: the job goes back to the queue, and past its limit to the dead letters. */
  async #giveBack({ row, job }: Task, error: unknown): Promise<void> {
    const { log, database, jobs } = this.#options;
    log.error({ err: error, modification_id: row.modification_id }, "a modification failed");
    await database.transaction((tx) => jobs.fail(tx, "payment_modify", [job], messageOf(error))).catch((failure: unknown) => {
      // The lease ends by the database's clock, so the job comes back even when this could not be said.
      log.error({ err: failure }, "a job could not be given back");
    });
  }
}

function requestOf(row: PursuableRow, is_first_send: boolean): ModificationRequest {
  const { kind, modification_id, psp_key, attempt_id, psp_reference, page_token, is_final } = row;
  return {
    kind, modification_id, psp_key, attempt_id, psp_reference, page_token, is_final, is_first_send,
    money: { amount_minor: row.amount_minor ?? row.attempt_amount_minor, currency: toCurrencyCode(row.currency) },
    captured_before_minor: row.captured_minor, opened_at: new Date(row.created_at),
  };
}
