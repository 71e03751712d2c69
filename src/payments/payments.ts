/** The door of the payments room: a checkout from its acceptance to settled orders. */
import type { Database } from "../db/db.ts";
import { createDeadLetterDrain, type Jobs } from "../jobs/jobs.ts";
import { createAnswerPurge } from "../idempotency/idempotency.ts";
import type { Logger } from "../log.ts";
import type { PspRouter } from "../psp/psp.ts";
import type { RiskLimits } from "../risk/risk.ts";
import { createActions, type Actions } from "./actions.ts";
import { Executor } from "./executor.ts";
import { Intake } from "./intake.ts";
import { retryPolicies } from "./retry-policies.ts";
import { Settlement } from "./settlement.ts";
import { WebhookApplier } from "./webhook-apply.ts";

export type { Actions } from "./actions.ts";
export { armCrashPoint, crashPointNames } from "./crash-points.ts";
export type { CrashPointName } from "./crash-points.ts";
export type { Intake, IntakeRequest } from "./intake.ts";
export type { CheckoutDraft, OrderRow, OrderStatus } from "./model.ts";
export { selectAttempts, selectEvent, selectInFlight, selectOrder, selectOrders, selectOrdersOfCheckouts, selectTransitions } from "./queries.ts";
export { verifyPayments } from "./verify.ts";
export { attemptView, checkoutView, orderView } from "./views.ts";
export type { AcceptedCheckout } from "./views.ts";

export type PaymentSettings = {
  readonly limits: RiskLimits;
  readonly idempotency_hours: number;
  readonly retry_attempts_max: number;
  readonly retry_backoff_base: number;
  readonly commission_basis_points: bigint;
  readonly psp_concurrency: number;
  readonly idle_poll_ms: number;
};

type Parts = { readonly database: Database; readonly jobs: Jobs; readonly log: Logger };

/** What the HTTP side needs: taking checkouts in, and what a person may do with orders. */
export function createPayments(parts: Parts, settings: PaymentSettings): { intake: Intake; actions: Actions } {
  return {
    intake: new Intake({ ...parts, limits: settings.limits, idempotency_hours: settings.idempotency_hours }),
    actions: createActions(parts.jobs, { retries_max: settings.retry_attempts_max }),
  };
}

/** The workers that bring payments forward; any number of processes may run them. */
export type PaymentWorkers = { start(): void; stop(): Promise<void> };

export function createPaymentWorkers(parts: Parts & { readonly router: PspRouter }, settings: PaymentSettings): PaymentWorkers {
  const settlement = new Settlement({
    ...parts,
    policies: retryPolicies({ attempts_max: settings.retry_attempts_max, backoff_base: settings.retry_backoff_base }),
    commission_basis_points: settings.commission_basis_points,
    random: Math.random,
  });
  const idle_poll_ms = settings.idle_poll_ms;
  const workers = [
    new Executor({ ...parts, settlement, concurrency: settings.psp_concurrency, idle_poll_ms }),
    new WebhookApplier({ ...parts, settlement, idle_poll_ms }),
    createDeadLetterDrain({ ...parts, idle_poll_ms: 1_000 }),
    createAnswerPurge(parts.database, parts.log),
  ];
  return {
    start: () => workers.forEach((worker) => worker.start()),
    async stop() {
      await Promise.all(workers.map((worker) => worker.stop()));
      await settlement.close();
    },
  };
}
