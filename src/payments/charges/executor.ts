import { executor_actor } from "../model/model.ts";
import { monotonicMilliseconds, type Clock } from "../../clock.ts";
import type { Database } from "../../db/db.ts";
import { messageOf } from "../../errors.ts";
import { claimAndDecide, WorkLoop, type Jobs } from "../../jobs/jobs.ts";
import type { Logger } from "../../log.ts";
import type { PspRouter } from "../../psp/psp.ts";
import { openTasks } from "./claim.ts";
import { crashPoint } from "../model/crash-points.ts";
import { callPsp, type ChargeTask } from "./psp-call.ts";
import type { OutcomeRecorder } from "../record/outcome-recorder.ts";

export type ExecutorOptions = {
  readonly database: Database;
  readonly jobs: Jobs;
  readonly router: PspRouter;
  readonly clock: Clock;
  readonly recorder: OutcomeRecorder;
  readonly log: Logger;
  /** PSP calls at the same time. */
  readonly concurrency: number;
  readonly idle_poll_ms: number;
  readonly lease_seconds: number;
  readonly page_seconds: number;
  /** How long nothing may have been sent before a charge that the PSP does not show counts as never made. */
  readonly unknown_quiet_seconds: number;
};

/** Orders that this process holds at once, per PSP call at the same time; more wait in the queue. */
const held_per_call_max = 16;

/**
 * Calls the PSP for each task outside any transaction and hands the outcomes to the recorder. Tasks
 * come from the acceptance of a checkout in this process, or are claimed in batches from the queue.
 */
export class Executor {
  readonly #options: ExecutorOptions;
  readonly #loop: WorkLoop;
  /** Tasks whose PSP call or whose record is not written. */
  readonly #running = new Set<Promise<void>>();
  /** Tasks that wait for a place, with the time until which they may. */
  readonly #ready: { readonly task: ChargeTask; readonly until_ms: number }[] = [];
  /** Claimed jobs among the ready and the running. */
  #claimsHeld = 0;
  #callsRunning = 0;
  /** Whether there may be due work in the queue that this process has not looked at. */
  #isQueueDue = true;
  #onPlaceFree: () => void = () => undefined;

  constructor(options: ExecutorOptions) {
    this.#options = options;
    this.#loop = new WorkLoop({
      name: "payment_execute",
      log: options.log,
      idle_poll_ms: options.idle_poll_ms,
      run: () => this.#run(),
    });
    options.jobs.onWake("payment_execute", () => {
      this.#isQueueDue = true;
      this.#loop.wake();
    });
  }

  start(): void {
    this.#loop.start();
  }

  /** Resolves when the calls in flight are recorded; nothing new is claimed. */
  async stop(): Promise<void> {
    await this.#loop.stop();
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  /**
   * How many orders may start with their acceptance, without a turn in the queue: none while others
   * wait there, for they came first. They may have to wait for a place, but cost no job.
   */
  placesAtOnce(): number {
    if (this.#isQueueDue) return 0;
    const { concurrency, router } = this.#options;
    const held = this.#running.size + this.#ready.length;
    return Math.max(0, Math.min(held_per_call_max * concurrency - held, router.callsAllowed()));
  }

  /** Brings a task forward as soon as there is a place; its attempt is committed. */
  execute(task: ChargeTask): void {
    if (task.job !== null) this.#claimsHeld += 1;
    this.#ready.push({ task, until_ms: monotonicMilliseconds() + this.#options.lease_seconds * 500 });
    this.#startReady();
  }

  /**
   * A place is free once its call has an outcome; waiting for the commit must not hold it. A quarter
   * of the places is the queue's, however many checkouts come in.
   */
  #placesForQueue(): number {
    const { concurrency } = this.#options;
    const free = concurrency - this.#callsRunning - this.#ready.length;
    const held = this.#running.size + this.#ready.length;
    if (held > held_per_call_max * concurrency) return 0;
    return Math.max(0, free, quarterOf(concurrency) - this.#claimsHeld);
  }

  async #run(): Promise<number> {
    const { concurrency, router } = this.#options;
    // Claim only when a good part of the places is free: small claims cost as much as large ones.
    while (this.#placesForQueue() < quarterOf(concurrency)) {
      await new Promise<void>((resolve) => {
        this.#onPlaceFree = resolve;
      });
    }
    const places = Math.min(this.#placesForQueue(), router.callsAllowed());
    if (places === 0) return 0;
    this.#isQueueDue = false;
    const { claimed_count, results: tasks } = await claimAndDecide(
      this.#options,
      "payment_execute",
      places,
      (tx, claimed) => openTasks(tx, this.#options, claimed),
    );
    for (const task of tasks) this.execute(task);
    // A claim that was not filled has emptied the queue: adding a job wakes the loop again.
    if (claimed_count < places) return 0;
    this.#isQueueDue = true;
    return claimed_count;
  }

  #startReady(): void {
    while (this.#callsRunning < this.#options.concurrency) {
      // A PSP whose places are all taken holds its own tasks back, not the others'.
      const index = this.#ready.findIndex(
        ({ task }) => this.#options.router.placesFreeFor(task.attempt.psp) > 0,
      );
      const [next] = index < 0 ? [] : this.#ready.splice(index, 1);
      if (next === undefined) return;
      // Near the end of its lease another process may take it up and send it first: it is left to the sweep
      // or the queue.
      if (monotonicMilliseconds() < next.until_ms) this.#start(next.task);
      else this.#drop(next.task);
    }
  }

  #start(task: ChargeTask): void {
    this.#callsRunning += 1;
    const tracked: Promise<void> = this.#bringForward(task)
      .catch((error: unknown) => this.#giveBack(task, error))
      .finally(() => {
        this.#running.delete(tracked);
        this.#drop(task);
      });
    this.#running.add(tracked);
  }

  /** This process has nothing more to do for the task. */
  #drop(task: ChargeTask): void {
    if (task.job !== null) this.#claimsHeld -= 1;
    this.#onPlaceFree();
  }

  async #bringForward(task: ChargeTask): Promise<void> {
    const { payment_order_id, attempt, turn, epoch, job } = task;
    crashPoint("after_claim");
    const { outcome, psp_call_ms } = await callPsp(this.#options.router, task).finally(() => {
      this.#callsRunning -= 1;
      this.#startReady();
      this.#onPlaceFree();
    });
    crashPoint("after_psp_call");
    const call = { epoch, psp_call_ms, job };
    const isFirstSend = turn === "first_send";
    await this.#options.recorder.record({
      payment_order_id,
      attempt_id: attempt.attempt_id,
      outcome,
      actor: executor_actor,
      source: isFirstSend ? { kind: "charge", is_first_send: true, ...call } : { kind: "inquiry", ...call },
    });
    crashPoint("after_outcome_commit");
  }

  /** A bug or a lost database: the job goes back to the queue, and past its limit to the dead letters. */
  async #giveBack(task: ChargeTask, error: unknown): Promise<void> {
    const { log, database, jobs } = this.#options;
    const { job } = task;
    log.error(
      { err: error, payment_order_id: task.payment_order_id, attempt_id: task.attempt.attempt_id },
      "execution failed",
    );
    // Without a job the attempt itself records that it is in progress: the sweep queues it after the lease.
    if (job === null) return;
    await database
      .transaction((tx) => jobs.giveBack(tx, "payment_execute", [job], messageOf(error)))
      .catch((failure: unknown) => {
        // The lease ends by the database's clock, so the job comes back even if it could not be given back.
        log.error({ err: failure }, "a job could not be given back");
      });
  }
}

const quarterOf = (places: number): number => Math.max(1, Math.floor(places / 4));
