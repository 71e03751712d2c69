import type { Database, Transaction } from "../../db/db.ts";
import { messageOf } from "../../errors.ts";
import { hasPrefix } from "../../ids.ts";
import {
  addDeadLetters,
  isLastTry,
  WorkLoop,
  type DeadLetterDraft,
  type Job,
  type Jobs,
} from "../../jobs/jobs.ts";
import type { Logger } from "../../log.ts";
import type { AttemptReport, ExternalReport, PspRouter, WebhookReport } from "../../psp/psp.ts";
import {
  decideMessages,
  selectOpenMessages,
  type MessageDecision,
  type OpenMessage,
} from "../../webhooks/webhooks.ts";
import type { AttemptOutcome } from "../decide/decision.ts";
import { matchReport } from "./external-reports.ts";
import type { AttemptRow } from "../model/model.ts";
import {
  hasUnnamedOperation,
  selectOperationByReference,
  selectOperationsById,
} from "../store/operation-queries.ts";
import { lockOrders } from "../store/queries.ts";
import { selectAttemptsById } from "../store/attempt-queries.ts";
import type { OutcomeRecorder } from "../record/outcome-recorder.ts";

export type WebhookApplierOptions = {
  readonly database: Database;
  readonly jobs: Jobs;
  readonly router: PspRouter;
  readonly recorder: OutcomeRecorder;
  readonly log: Logger;
  readonly idle_poll_ms: number;
};

/**
 * What a message reports about an attempt of ours, about an operation of one, or about an operation without a
 * charge.
 */
type Report = {
  readonly attempt: Pick<AttemptRow, "attempt_id" | "payment_order_id"> | null;
  readonly operation_id: string | null;
  readonly outcome: AttemptOutcome;
};
/** Why there is nothing to record, and the money that the message reports all the same. */
type Refusal = Pick<MessageDecision, "state" | "note"> & {
  readonly discrepancies?: readonly DeadLetterDraft[];
};
type Reading = Report | Refusal;
type Decision = Refusal & Pick<MessageDecision, "message_id">;

const unmatched: Reading = { state: "unmatched", note: "the order or attempt that it names is unknown" };

const jobs_at_once = 8;

/**
 * Applies stored webhooks through the same recorder as our own calls. A message about an attempt of ours
 * that is not known yet may be early: it is kept and tried again, and becomes a dead letter in the end.
 */
export class WebhookApplier {
  readonly #options: WebhookApplierOptions;
  readonly #loop: WorkLoop;

  constructor(options: WebhookApplierOptions) {
    this.#options = options;
    this.#loop = new WorkLoop({
      name: "webhook_apply",
      log: options.log,
      idle_poll_ms: options.idle_poll_ms,
      run: () => this.#run(),
    });
    options.jobs.onWake("webhook_apply", () => this.#loop.wake());
  }

  start(): void {
    this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  async #run(): Promise<number> {
    const { database, jobs } = this.#options;
    const claimed = await database.transaction((tx) => jobs.claim(tx, "webhook_apply", jobs_at_once));
    await Promise.all(claimed.map((job) => this.#apply(job)));
    return claimed.length === jobs_at_once ? claimed.length : 0;
  }

  async #apply(job: Job<"webhook_apply">): Promise<void> {
    const { database, jobs, log } = this.#options;
    try {
      const decisions = await this.#decideMessages(await selectOpenMessages(database, job.data.message_ids));
      await database.transaction((tx) => this.#end(tx, job, decisions));
    } catch (error) {
      log.error({ err: error, job_id: job.id }, "applying webhooks failed");
      await database.transaction((tx) => jobs.fail(tx, "webhook_apply", [job], messageOf(error)));
    }
  }

  /**
   * Records what the messages report. Each is decided alone: one that cannot be read or applied does not
   * block the others of its job.
   */
  async #decideMessages(messages: readonly OpenMessage[]): Promise<readonly Decision[]> {
    const named = messages.flatMap((message) => message.attempt_id ?? []);
    const known = await selectAttemptsById(this.#options.database, named);
    const attempts = new Map(known.map((attempt) => [attempt.attempt_id as string, attempt]));
    const deciding: Promise<Decision[]>[] = [];
    for (const message of messages) {
      const { message_id } = message;
      const failed = (error: unknown): Decision => {
        this.#options.log.error(
          { err: error, message_id, psp: message.psp, psp_event_id: message.psp_event_id },
          "a webhook could not be applied",
        );
        return { message_id, state: "received", note: messageOf(error) };
      };
      try {
        const reading = await this.#read(message, attempts);
        deciding.push(
          "state" in reading
            ? Promise.resolve([{ message_id, ...reading }])
            : this.#record(message, reading).then(
                () => [],
                (error: unknown) => [failed(error)],
              ),
        );
      } catch (error) {
        deciding.push(Promise.resolve([failed(error)]));
      }
    }
    return (await Promise.all(deciding)).flat();
  }

  async #record({ message_id, psp }: OpenMessage, { attempt, operation_id, outcome }: Report): Promise<void> {
    await this.#options.recorder.record({
      payment_order_id: attempt?.payment_order_id ?? null,
      attempt_id: attempt?.attempt_id ?? null,
      outcome,
      actor: `webhook:${psp}`,
      source: { kind: "webhook", message_id, operation_id },
    });
  }

  /**
   * Messages that are still open bring the job back; after its last try each becomes a dead letter of its
   * own, a rejected one at once. Money that it reports stops its order too.
   */
  async #end(tx: Transaction, job: Job<"webhook_apply">, decisions: readonly Decision[]): Promise<void> {
    const { jobs } = this.#options;
    const open = decisions.filter(({ state }) => state === "received" || state === "unmatched");
    const [first] = open;
    const isGivenUp = first !== undefined && isLastTry("webhook_apply", job);
    const discrepancies = decisions.flatMap((decision) => decision.discrepancies ?? []);
    if (discrepancies.length > 0) {
      // A retry or an approval under way ends before the letter comes, or sees it.
      const orderIds = discrepancies.map(({ subject_id }) => subject_id);
      await lockOrders(tx, orderIds);
    }
    await decideMessages(
      tx,
      decisions.map(({ message_id, state, note }) => ({
        message_id,
        state: isGivenUp && state === "received" ? "failed" : state,
        note,
      })),
    );
    const ended = decisions.filter(
      (decision) => decision.state === "rejected" || (isGivenUp && open.includes(decision)),
    );
    const letters = ended.map(({ message_id, state, note }): DeadLetterDraft => ({
      queue: "webhook_apply",
      subject_id: message_id,
      payload: { message_ids: [message_id] },
      reason: `The webhook ${state === "rejected" ? "was rejected" : "could not be applied"}: ${note}`,
      attempt_count: job.retry_count + 1,
    }));
    await addDeadLetters(tx, [...letters, ...discrepancies]);
    if (first === undefined || isGivenUp) return jobs.complete(tx, "webhook_apply", [job]);
    return jobs.fail(
      tx,
      "webhook_apply",
      [job],
      `${open.length} webhooks could not be applied; the first is ${first.message_id}: ${first.note}`,
    );
  }

  async #read(message: OpenMessage, attempts: ReadonlyMap<string, AttemptRow>): Promise<Reading> {
    const { router } = this.#options;
    if (!router.has(message.psp))
      return { state: "unmatched", note: `no PSP account named ${message.psp} is configured` };
    const known = message.attempt_id === null ? undefined : attempts.get(message.attempt_id);
    const report = router.get(message.psp).readWebhook(message.body, known?.capture_method ?? "automatic");
    if (report === null) return { state: "ignored", note: "reports nothing about a payment of ours" };
    if (report === "unsupported") return { state: "unsupported", note: "kept for a later version" };
    if ("reference" in report) return this.#readReport(report, message);
    return "operation_id" in report
      ? this.#readOperation(report, attempts, message)
      : readAttempt(report, attempts, message.psp);
  }

  async #readReport(report: ExternalReport, { psp }: OpenMessage): Promise<Reading> {
    const matched = await matchReport(this.#options.database, report, psp);
    return "attempt" in matched
      ? { attempt: matched.attempt, operation_id: null, outcome: report.outcome }
      : matched;
  }

  /**
   * By our id or the PSP's; a change that is neither was made by a person there, unless we have not heard the
   * PSP's id of ours yet.
   */
  async #readOperation(
    report: Extract<WebhookReport, { operation_reference: string }>,
    attempts: ReadonlyMap<string, AttemptRow>,
    { psp, attempt_id }: OpenMessage,
  ): Promise<Reading> {
    const { database } = this.#options;
    const { operation_id, operation_reference, outcome, otherwise } = report;
    const operation =
      operation_id === null
        ? await selectOperationByReference(database, psp, operation_reference)
        : (await selectOperationsById(database, [operation_id]))[0];
    if (operation?.psp === psp) {
      const ids = operation.attempt_id === null ? [] : [operation.attempt_id];
      const [attempt = null] = await selectAttemptsById(database, ids);
      return { attempt, operation_id: operation.operation_id, outcome };
    }
    // Ours whose reference we have not heard yet: it comes with the answer to our request.
    if (operation_id !== null || (await hasUnnamedOperation(database, psp, attempt_id))) return unmatched;
    return otherwise === null
      ? { state: "ignored", note: "reports a change of a payment that is not ours" }
      : readAttempt(otherwise, attempts, psp);
  }
}

/**
 * A message about an attempt of ours that is not known yet may be early, and waits. Other systems' charges on
 * a shared account never become known.
 */
function readAttempt(report: AttemptReport, attempts: ReadonlyMap<string, AttemptRow>, psp: string): Reading {
  const { attempt_id, outcome } = report;
  if (attempt_id === null || !hasPrefix("att", attempt_id))
    return { state: "ignored", note: "reports a payment that is not ours" };
  const attempt = attempts.get(attempt_id);
  return attempt === undefined || attempt.psp !== psp ? unmatched : { attempt, operation_id: null, outcome };
}
