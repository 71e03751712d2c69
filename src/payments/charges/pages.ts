import type { Clock } from "../../clock.ts";
import type { Database } from "../../db/db.ts";
import { AppError } from "../../errors.ts";
import type { PspRouter } from "../../psp/psp.ts";
import { first_hold } from "./claim.ts";
import { crashPoint } from "../model/crash-points.ts";
import { executor_actor, openAttemptStatuses, type AttemptRow, type CheckoutRow } from "../model/model.ts";
import { pageOf } from "./page-draft.ts";
import { callPsp, type ChargeTask } from "./psp-call.ts";
import {
  lockOrdersOfCheckout,
  selectCheckout,
  selectOrdersOfCheckouts,
  selectPageAttempt,
} from "../store/queries.ts";
import type { OutcomeRecorder } from "../record/outcome-recorder.ts";
import { takeUpAttempts } from "../store/attempt-queries.ts";
import { acceptedView, type AcceptedCheckout } from "../views/views.ts";

export type PagesOptions = {
  readonly database: Database;
  readonly router: PspRouter;
  readonly clock: Clock;
  readonly recorder: OutcomeRecorder;
  /** The path of the page that shows a buyer the outcome of a checkout. */
  readonly statusUrlOf: (checkout: Pick<CheckoutRow, "checkout_id" | "created_at">) => string;
  /** Registrations at the same time; more wait for their turn. */
  readonly registrations_at_once_max: number;
  readonly unknown_quiet_seconds: number;
};

/**
 * Hosted pages: the PSP is asked for one, and its token is stored, before the POST of the checkout is
 * answered.
 */
export class Pages {
  readonly #options: PagesOptions;
  readonly #waiting: (() => void)[] = [];
  #registering = 0;

  constructor(options: PagesOptions) {
    this.#options = options;
  }

  /**
   * The answer to the POST of a hosted checkout, the first one and each repetition: registers the page
   * if that is not done, always under the attempt's key. Errors: `psp_unavailable` (send the same POST
   * again), `page_refused`.
   */
  async answer(checkoutId: string, isNew: boolean): Promise<AcceptedCheckout> {
    const { database, statusUrlOf } = this.#options;
    const [event, orders] = [
      await selectCheckout(database, checkoutId),
      await selectOrdersOfCheckouts(database, [checkoutId]),
    ];
    if (event?.hosted_page === undefined || event.hosted_page === null)
      throw new Error(`${checkoutId} is no hosted checkout`);
    let attempt = await selectPageAttempt(database, checkoutId);
    if (
      attempt !== undefined &&
      attempt.page_url === null &&
      openAttemptStatuses.includes(attempt.status) &&
      attempt.resolved_as === null
    ) {
      const { attempt_id } = attempt;
      const payment_method = pageOf(
        event.hosted_page,
        orders.filter((order) => order.attempt_id === attempt_id),
        attempt,
        this.#options.clock,
      );
      const hold = isNew ? first_hold : await this.#takeUp(attempt);
      if (hold !== undefined)
        await this.#inTurn({ payment_order_id: null, attempt, payment_method, ...hold, job: null });
      attempt = await selectPageAttempt(database, checkoutId);
    }
    if (attempt !== undefined && attempt.page_url === null) throw refusalOf(attempt);
    return {
      ...acceptedView(event, orders),
      hosted_page_url: attempt?.page_url ?? null,
      status_url: statusUrlOf(event),
    };
  }

  /** For another registration under the same key; undefined: it was decided meanwhile. */
  async #takeUp({
    attempt_id,
    checkout_id,
  }: AttemptRow): Promise<Pick<ChargeTask, "turn" | "epoch" | "has_discrepancy"> | undefined> {
    const { database, router, unknown_quiet_seconds } = this.#options;
    const [taken] = await database.transaction(async (tx) => {
      await lockOrdersOfCheckout(tx, checkout_id);
      return takeUpAttempts(tx, [attempt_id], router.keySeconds(), unknown_quiet_seconds);
    });
    if (taken === undefined) return undefined;
    return { turn: taken.turn, epoch: taken.epoch, has_discrepancy: taken.has_discrepancy };
  }

  async #inTurn(task: ChargeTask): Promise<void> {
    if (this.#registering >= this.#options.registrations_at_once_max)
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#registering += 1;
    await this.#register(task).finally(() => {
      const next = this.#waiting.shift();
      if (next === undefined) this.#registering -= 1;
      else next();
    });
  }

  async #register(task: ChargeTask): Promise<void> {
    crashPoint("after_claim");
    const { outcome, psp_call_ms } = await callPsp(this.#options.router, task);
    crashPoint("after_psp_call");
    const { attempt, turn, epoch } = task;
    await this.#options.recorder.record({
      payment_order_id: null,
      attempt_id: attempt.attempt_id,
      outcome,
      actor: executor_actor,
      source: { kind: "charge", is_first_send: turn === "first_send", epoch, psp_call_ms, job: null },
    });
    crashPoint("after_outcome_commit");
  }
}

/** Why there is no page. While the attempt is open the same POST may get one. */
function refusalOf(attempt: AttemptRow): AppError {
  if (
    openAttemptStatuses.includes(attempt.status) ||
    attempt.failure_class === "unreachable" ||
    attempt.failure_class === "rate_limited"
  ) {
    return new AppError(
      "psp_unavailable",
      "The PSP has not opened a page yet; the checkout is stored. Send the same request again.",
      { retry_after_seconds: 2 },
    );
  }
  return new AppError("page_refused", attempt.failure_message ?? "The PSP did not open a page.");
}
