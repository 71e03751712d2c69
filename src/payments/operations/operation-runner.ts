import { monotonicMilliseconds } from "../../clock.ts";
import type { Database, Transaction } from "../../db/db.ts";
import {
  addDeadLetters,
  claimAndDecide,
  WorkLoop,
  type DeadLetterDraft,
  type Job,
  type Jobs,
} from "../../jobs/jobs.ts";
import type { Logger } from "../../log.ts";
import { messageOf } from "../../errors.ts";
import type { OperationAnswer, PspRouter, Turn } from "../../psp/psp.ts";
import { crashPoint } from "../model/crash-points.ts";
import { missingAccount, executor_actor, resolved_by_person } from "../model/model.ts";
import { kindOf, type OperationKinds } from "../record/operation-kind.ts";
import {
  lockOperations,
  postponeOperations,
  releaseOperation,
  startOperations,
  type RunnableOperation,
} from "../store/operation-turn-queries.ts";
import type { OutcomeRecorder } from "../record/outcome-recorder.ts";
import type { PspReport } from "../record/psp-report.ts";

export type OperationRunnerOptions = {
  readonly database: Database;
  readonly jobs: Jobs;
  readonly router: PspRouter;
  readonly recorder: OutcomeRecorder;
  readonly kinds: OperationKinds;
  readonly log: Logger;
  /** PSP calls at the same time. */
  readonly concurrency: number;
  /** How long nobody else calls a PSP about what this worker has claimed; that of jobs. */
  readonly lease_seconds: number;
  /** How long nothing may have been sent before a change that the PSP does not show counts as never made. */
  readonly unknown_quiet_seconds: number;
  readonly idle_poll_ms: number;
};

/** How soon a resolution that was given during a call is looked at again. */
const resolution_wait_seconds = 1;

/**
 * How soon an operation is checked again if its PSP account is not configured: any restart may bring the
 * account back.
 */
const unconfigured_wait_seconds = 15;

type OperationTask = {
  readonly row: RunnableOperation;
  readonly job: Job<"operation_execute">;
  readonly turn: Turn;
  readonly epoch: number;
};
type Ready = Pick<OperationTask, "row" | "job">;
type Reported = Pick<PspReport, "outcome" | "actor" | "source">;

/** Runs operations of all kinds at their PSPs, those of one lane one after another. */
export class OperationRunner {
  readonly #options: OperationRunnerOptions;
  readonly #loop: WorkLoop;
  readonly #running = new Set<Promise<void>>();

  constructor(options: OperationRunnerOptions) {
    this.#options = options;
    this.#loop = new WorkLoop({
      name: "operation_execute",
      log: options.log,
      idle_poll_ms: options.idle_poll_ms,
      run: () => this.#run(),
    });
    options.jobs.onWake("operation_execute", () => this.#loop.wake());
  }

  start(): void {
    this.#loop.start();
  }

  /** Resolves when the calls in flight are recorded; nothing new is claimed. */
  async stop(): Promise<void> {
    await this.#loop.stop();
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  async #run(): Promise<number> {
    const { concurrency } = this.#options;
    while (this.#running.size >= concurrency) await Promise.race(this.#running);
    const places = concurrency - this.#running.size;
    const { claimed_count, results: tasks } = await claimAndDecide(
      this.#options,
      "operation_execute",
      places,
      (tx, claimed) => this.#begin(tx, claimed),
    );
    for (const task of tasks) this.#start(task);
    return claimed_count < places ? 0 : claimed_count;
  }

  /** Starts the operations that may run now. Those that must wait are queued again for their time. */
  async #begin(
    tx: Transaction,
    claimed: readonly Job<"operation_execute">[],
  ): Promise<readonly OperationTask[]> {
    const { jobs, router, lease_seconds, unknown_quiet_seconds } = this.#options;
    const jobOf = new Map(claimed.map((job) => [job.data.operation_id, job]));
    const rows = await lockOperations(tx, [...jobOf.keys()]);
    const ready = rows.flatMap((row): Ready[] => {
      const job = jobOf.get(row.operation_id);
      return job === undefined || !isWorkFor(row) ? [] : [{ row, job }];
    });
    const waits = new Map(ready.map((task) => [task, this.#secondsToWait(task.row)]));
    const due = ready.filter((task) => waits.get(task) === 0);
    const later = ready.filter((task) => !due.includes(task));
    const delays = later.map((task) => ({
      operation_id: task.row.operation_id,
      seconds: waits.get(task) ?? 0,
    }));
    const terms = { lease_seconds, key_seconds: router.keySeconds(), quiet_seconds: unknown_quiet_seconds };
    const holds = await startOperations(
      tx,
      due.map(({ row }) => row.operation_id),
      terms,
    );
    const started = new Map(holds.map((hold) => [hold.operation_id, hold]));
    const tasks = due.flatMap(({ row, job }): OperationTask[] => {
      const hold = started.get(row.operation_id);
      return hold === undefined ? [] : [{ row, job, turn: hold.turn, epoch: hold.epoch }];
    });
    await postponeOperations(tx, delays);
    await jobs.enqueue(
      tx,
      "operation_execute",
      delays.map(({ operation_id, seconds }) => ({ data: { operation_id }, start_after_seconds: seconds })),
    );
    await addDeadLetters(
      tx,
      later.flatMap(({ row, job }) => (router.has(row.psp) ? [] : [unconfigured(row, job)])),
    );
    const known = new Set<string>(rows.map((row) => row.operation_id));
    const idle = claimed.filter((job) => !tasks.some((task) => task.job === job));
    await jobs.abandon(
      tx,
      "operation_execute",
      idle.filter(({ data }) => !known.has(data.operation_id)),
      "There is no such operation.",
    );
    await jobs.complete(
      tx,
      "operation_execute",
      idle.filter(({ data }) => known.has(data.operation_id)),
    );
    return tasks;
  }

  /**
   * While calls to its PSP are held back, or its account is not configured, an operation keeps its state
   * and uses up no try.
   */
  #secondsToWait(row: RunnableOperation): number {
    const { router } = this.#options;
    const { psp, is_leased } = row;
    if (isManuallyResolved(row)) return is_leased ? resolution_wait_seconds : 0;
    if (kindOf(this.#options.kinds, row.kind).request(row, "first_send").kind === "known") return 0;
    return router.has(psp) ? router.secondsToWait(psp) : unconfigured_wait_seconds;
  }

  #start(task: OperationTask): void {
    const tracked: Promise<void> = this.#bringForward(task)
      .catch((error: unknown) => this.#giveBack(task, error))
      .finally(() => this.#running.delete(tracked));
    this.#running.add(tracked);
  }

  async #bringForward(task: OperationTask): Promise<void> {
    const { payment_order_id, attempt_id } = task.row;
    crashPoint("after_claim");
    const reported = isManuallyResolved(task.row) ? resolutionOf(task) : await this.#call(task);
    crashPoint("after_psp_call");
    await this.#options.recorder.record({ payment_order_id, attempt_id, ...reported });
    crashPoint("after_outcome_commit");
    this.#options.jobs.wake("operation_execute");
  }

  async #call(task: OperationTask): Promise<Reported> {
    const { row, job, turn, epoch } = task;
    const { operation_id, key_number } = row;
    const start = monotonicMilliseconds();
    const outcome = await this.#ask(task);
    const psp_call_ms = monotonicMilliseconds() - start;
    const is_first_send = turn === "first_send";
    return {
      outcome,
      actor: executor_actor,
      source: { kind: "operation", operation_id, is_first_send, key_number, epoch, psp_call_ms, job },
    };
  }

  #ask({ row, turn }: OperationTask): OperationAnswer | Promise<OperationAnswer> {
    const step = kindOf(this.#options.kinds, row.kind).request(row, turn);
    return step.kind === "known" ? step.outcome : step.call(this.#options.router);
  }

  /** A bug or a lost database: the job goes back to the queue, and past its limit to the dead letters. */
  async #giveBack({ row, job }: OperationTask, error: unknown): Promise<void> {
    const { log, database, jobs } = this.#options;
    log.error({ err: error, operation_id: row.operation_id }, "an operation failed");
    await database
      .transaction(async (tx) => {
        await releaseOperation(tx, row.operation_id);
        await jobs.giveBack(tx, "operation_execute", [job], messageOf(error));
      })
      .catch((failure: unknown) => {
        // The lease ends by the database's clock, so the job comes back even if it could not be given back.
        log.error({ err: failure }, "a job could not be given back");
      });
  }
}

/**
 * False if it is decided, has to wait for another operation, or is run by another job. A manual resolution
 * waits only for a PSP call already in flight.
 */
function isWorkFor(row: RunnableOperation): boolean {
  if (row.status === "succeeded" || row.status === "failed") return false;
  if (isManuallyResolved(row)) return true;
  return row.is_due && !row.is_leased && !(row.status === "queued" && row.is_blocked);
}

/** The PSP was asked, and a person has recorded the outcome. */
const isManuallyResolved = ({ status, resolved_as }: RunnableOperation): boolean =>
  resolved_as !== null && status !== "queued";

/** The dead letter of an operation whose PSP account is not configured. */
function unconfigured(
  { operation_id, payment_order_id, attempt_id, psp, kind, key_number }: RunnableOperation,
  { data }: Job<"operation_execute">,
): DeadLetterDraft {
  return {
    queue: "operation_execute",
    subject_id: operation_id,
    payload: { ...data, payment_order_id, attempt_id },
    attempt_count: key_number,
    reason: `The ${kind} waits: ${missingAccount(psp)}`,
  };
}

function resolutionOf({ row, job }: OperationTask): Reported {
  const { operation_id, resolved_by } = row;
  return {
    outcome: outcomeOfResolution(row),
    actor: resolved_by ?? executor_actor,
    source: { kind: "resolution", operation: { operation_id, job } },
  };
}

function outcomeOfResolution({ resolved_as, resolution_note }: RunnableOperation): OperationAnswer {
  if (resolved_as === "succeeded") return { kind: "done", psp_reference: null };
  return {
    kind: "failed",
    failure: { class: "hard_decline", code: resolved_by_person, message: resolution_note ?? "" },
  };
}
