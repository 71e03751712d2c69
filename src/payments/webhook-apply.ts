import type { Database } from "../db/db.ts";
import { WorkLoop, type Job, type Jobs } from "../jobs/jobs.ts";
import type { Logger } from "../log.ts";
import { toCurrencyCode } from "../money/money.ts";
import type { AttemptNews, PspRouter, WebhookNews } from "../psp/psp.ts";
import { selectOpenMessages, markMessages, paymentStatusPsp, readPaymentStatus, type MessageRow } from "../webhooks/webhooks.ts";
import type { AttemptOutcome } from "./decision.ts";
import type { AttemptRow } from "./model.ts";
import { hasUnnamedModification, selectModificationsById, selectModificationsByReference } from "./modification-queries.ts";
import { selectAttempts } from "./queries.ts";
import { selectAttemptsById } from "./settlement-queries.ts";
import type { Settlement } from "./settlement.ts";

export type WebhookApplierOptions = {
  readonly database: Database;
  readonly jobs: Jobs;
  readonly router: PspRouter;
  readonly settlement: Settlement;
  readonly log: Logger;
  readonly idle_poll_ms: number;
};

/** What a message means for an attempt of ours, or for a modification of one. */
type Reading =
  | { readonly attempt: Pick<AttemptRow, "attempt_id" | "payment_order_id">; readonly modification_id: string | null; readonly outcome: AttemptOutcome }
  | "ignored" | "unmatched";

const jobs_at_once = 8;

/**
 * Applies stored webhooks through the same settlement as our own calls. A message about something
 * unknown to us may simply be early: it is kept and tried again, and in the end a person sees it.
 */
export class WebhookApplier {
  readonly #options: WebhookApplierOptions;
  readonly #loop: WorkLoop;

  constructor(options: WebhookApplierOptions) {
    this.#options = options;
    this.#loop = new WorkLoop({ name: "webhook_apply", log: options.log, idle_poll_ms: options.idle_poll_ms, run: () => this.#run() });
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
      const unmatched = await this.#applyMessages(await selectOpenMessages(database, job.data.message_ids));
      await database.transaction((tx) => (unmatched > 0
        ? jobs.fail(tx, "webhook_apply", [job], `${unmatched} webhooks speak of attempts that are not known here`)
        : jobs.complete(tx, "webhook_apply", [job])));
    } catch (error) {
      log.error({ err: error, job_id: job.id }, "applying webhooks failed");
      const reason = error instanceof Error ? error.message : String(error);
      await database.transaction((tx) => jobs.fail(tx, "webhook_apply", [job], reason));
    }
  }

  /** Gives how many messages found nothing here. */
  async #applyMessages(messages: readonly MessageRow[]): Promise<number> {
    const { database, settlement } = this.#options;
    const attempts = new Map((await selectAttemptsById(database, messages.flatMap((message) => message.attempt_id ?? [])))
      .map((attempt) => [attempt.attempt_id as string, attempt]));
    const ids: Record<"ignored" | "unmatched", string[]> = { ignored: [], unmatched: [] };
    const settled: Promise<void>[] = [];
    for (const message of messages) {
      const reading = await this.#read(message, attempts);
      if (typeof reading === "string") {
        ids[reading].push(message.message_id);
        continue;
      }
      settled.push(settlement.settle({
        payment_order_id: reading.attempt.payment_order_id, attempt_id: reading.attempt.attempt_id,
        modification_id: reading.modification_id, outcome: reading.outcome, actor: `webhook:${message.psp}`,
        is_first_send: false, is_inquiry: false, psp_call_ms: null, job: null, modification_job: null, is_answer_to_modification: false, message_id: message.message_id,
      }));
    }
    await Promise.all(settled);
    await markMessages(database, ids.ignored, "ignored", "says nothing about a payment");
    await markMessages(database, ids.unmatched, "unmatched", "no such attempt here");
    return ids.unmatched.length;
  }

  async #read(message: MessageRow, attempts: ReadonlyMap<string, AttemptRow>): Promise<Reading> {
    if (message.psp === paymentStatusPsp) return this.#readPaymentStatus(message);
    if (!this.#options.router.has(message.psp)) return "unmatched";
    const known = message.attempt_id === null ? undefined : attempts.get(message.attempt_id);
    const news = this.#options.router.get(message.psp).readWebhook(message.body, known?.capture_method ?? "automatic");
    if (news === null) return "ignored";
    return "modification_id" in news ? this.#readModification(news, attempts, message) : readAttempt(news, attempts, message.psp);
  }

  /** By our id or the PSP's; a change that is neither was made by a person there, unless we have not heard the PSP's id of ours yet. */
  async #readModification(
    news: Extract<WebhookNews, { modification_reference: string }>, attempts: ReadonlyMap<string, AttemptRow>, { psp, attempt_id }: MessageRow,
  ): Promise<Reading> {
    const { database } = this.#options;
    const { modification_id, modification_reference, outcome, otherwise } = news;
    const [modification] = modification_id === null
      ? await selectModificationsByReference(database, modification_reference) : await selectModificationsById(database, [modification_id]);
    const [attempt] = modification === undefined ? [] : await selectAttemptsById(database, [modification.attempt_id]);
    if (modification !== undefined && attempt?.psp === psp) return { attempt, modification_id: modification.modification_id, outcome };
    // Ours whose reference we have not heard yet: it comes with the answer to our request.
    if (modification_id !== null || (attempt_id !== null && await hasUnnamedModification(database, attempt_id))) return "unmatched";
    return otherwise === null ? "ignored" : readAttempt(otherwise, attempts, psp);
  }

  async #readPaymentStatus(message: MessageRow): Promise<Reading> {
    const status = readPaymentStatus(message.body);
    if ("malformed" in status) return "ignored";
    const attempt = (await selectAttempts(this.#options.database, status.payment_order_id)).at(-1);
    if (attempt === undefined) return "unmatched";
    if (attempt.psp_reference !== null && attempt.psp_reference !== status.token) return "unmatched";
    switch (status.status) {
      case "success":
        return { attempt, modification_id: null, outcome: { kind: "succeeded", psp_reference: status.token, charged: { amount_minor: attempt.amount_minor, currency: toCurrencyCode(attempt.currency) } } };
      case "failed": {
        const failure = { class: "hard_decline" as const, code: status.error ?? "card_declined", message: "The PSP reported a failure." };
        return { attempt, modification_id: null, outcome: { kind: "declined", psp_reference: status.token, failure } };
      }
      case "pending":
        return { attempt, modification_id: null, outcome: { kind: "pending", psp_reference: status.token, next_action: null } };
    }
  }
}

function readAttempt(news: AttemptNews, attempts: ReadonlyMap<string, AttemptRow>, psp: string): Reading {
  const attempt = news.attempt_id === null ? undefined : attempts.get(news.attempt_id);
  return attempt === undefined || attempt.psp !== psp ? "unmatched" : { attempt, modification_id: null, outcome: news.outcome };
}
