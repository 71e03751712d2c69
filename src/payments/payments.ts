/** The door of the payments room: a checkout from its acceptance to final orders. */
import type { Clock } from "../clock.ts";
import type { Database, Timestamp } from "../db/db.ts";
import { createDeadLetterDrain, type Jobs } from "../jobs/jobs.ts";
import { createAnswerPurge } from "../idempotency/idempotency.ts";
import type { Logger } from "../log.ts";
import type { PspRouter } from "../psp/psp.ts";
import type { RiskLimits } from "../risk/risk.ts";
import { createApprovalExpiry } from "../approvals/approvals.ts";
import type { Sealing } from "../sealing.ts";
import { createActions, type Actions } from "./orders/actions.ts";
import { createAttemptResolver } from "./charges/attempt-resolver.ts";
import { createAuthorizationExpiry } from "./charges/authorization-expiry.ts";
import { Executor } from "./charges/executor.ts";
import { Intake } from "./orders/intake.ts";
import { captureKind, voidKind } from "./operations/charge-operations.ts";
import { operationKinds } from "./record/operation-kind.ts";
import { OperationRunner } from "./operations/operation-runner.ts";
import { chargeDecider } from "./record/planning.ts";
import { createMonitor } from "./watch/monitor.ts";
import { Pages } from "./charges/pages.ts";
import { retryPolicies } from "./model/retry-policies.ts";
import { OutcomeRecorder } from "./record/outcome-recorder.ts";
import { createStaleAttemptSweep } from "./charges/stale-attempts.ts";
import { WebhookApplier } from "./reports/webhook-apply.ts";

export { createActions, type Actions } from "./orders/actions.ts";
export { armCrashPoint, crashPointNames } from "./model/crash-points.ts";
export type { ArmedCrashPoint, CrashPointName } from "./model/crash-points.ts";
export { historyOf } from "./orders/dead-letter-history.ts";
export type { Intake } from "./orders/intake.ts";
export type { IntakeRequest } from "./orders/intake-rows.ts";
export type { Resolved } from "./orders/attempt-resolution.ts";
export { letters_read_max } from "./orders/attempt-letters.ts";
export type { AttemptResolution, CheckoutDraft, OrderRow, OrderStatus } from "./model/model.ts";
export {
  selectAttempts,
  selectCheckout,
  selectInFlight,
  selectOrder,
  selectOrders,
  selectOrdersOfCheckouts,
  selectPageAttempt,
  selectTransitions,
} from "./store/queries.ts";
export { selectUnresolved } from "./store/monitor-queries.ts";
export { possibleActions } from "./watch/possible-actions.ts";
export { selectCommissions } from "./store/commission-queries.ts";
export { verifyPayments, verifyPaymentsIn } from "./watch/verify.ts";
export { selectOperations } from "./store/operation-queries.ts";
export { selectReferences } from "./store/reference-queries.ts";
export { createNextActionSealing, selectNextAction, selectNextActionOfOrder } from "./views/next-action.ts";
export type { NextActionView } from "./views/next-action.ts";
export {
  acceptedOperationView,
  acceptedView,
  attemptView,
  checkoutView,
  commissionView,
  operationView,
  orderView,
} from "./views/views.ts";
export type { AcceptedCheckout } from "./views/views.ts";

export type PaymentSettings = {
  readonly limits: RiskLimits;
  readonly idempotency_hours: number;
  readonly retry_attempts_max: number;
  readonly retry_backoff_base: number;
  readonly commission_basis_points: bigint;
  readonly psp_concurrency: number;
  readonly idle_poll_ms: number;
  /** After how long an attempt or a claimed job counts as abandoned; longer than any PSP call. */
  readonly lease_seconds: number;
  /** How long nothing may have been sent before a charge that the PSP does not show counts as never made. */
  readonly unknown_quiet_seconds: number;
  /** For how long a hosted page takes a card. */
  readonly page_seconds: number;
  /** How long an authorisation may stay uncaptured before it is voided, if the PSP does not end it sooner. */
  readonly authorization_seconds: number;
  /** Above these amounts, in minor units by currency, a resolution needs another key's approval. */
  readonly resolution_approval_amounts: ReadonlyMap<string, bigint>;
  /** For how long a proposal can be approved. */
  readonly approval_hours: number;
  /** How long a buyer may take to confirm a payment at the bank before it is voided. */
  readonly buyer_action_seconds: number;
  /** After how long in one state an order that should move is overdue, and how often that is looked for. */
  readonly overdue_seconds: number;
  readonly monitor_seconds: number;
};

type Parts = {
  readonly database: Database;
  readonly jobs: Jobs;
  readonly log: Logger;
  readonly router: PspRouter;
  readonly clock: Clock;
  /** Encrypts next actions, which only the buyer may see. */
  readonly sealing: Sealing;
  /** The path of the page that shows a buyer the outcome of a checkout. */
  readonly statusUrlOf: (checkout: {
    readonly checkout_id: string;
    readonly created_at: Timestamp;
  }) => string;
};

export type Payments = {
  readonly intake: Intake;
  /** What a person may do with orders. */
  readonly actions: Actions;
  /** What brings payments forward; any number of processes may run them. */
  readonly workers: { start(): void; stop(): Promise<void> };
};

/**
 * Makes the room's parts. A process that does not work never starts the workers, and queues all orders.
 */
export function createPayments(
  parts: Parts,
  settings: PaymentSettings,
  options: { is_worker: boolean },
): Payments {
  const { idle_poll_ms, lease_seconds, page_seconds, unknown_quiet_seconds } = settings;
  const decideCharge = chargeDecider({
    ...parts,
    policies: retryPolicies({
      attempts_max: settings.retry_attempts_max,
      backoff_base: settings.retry_backoff_base,
    }),
    authorization_seconds: settings.authorization_seconds,
    buyer_action_seconds: settings.buyer_action_seconds,
    random: Math.random,
  });
  const kinds = operationKinds([captureKind(decideCharge), voidKind(decideCharge)]);
  const recorder = new OutcomeRecorder({ ...parts, decideCharge, kinds });
  const executor = new Executor({
    ...parts,
    recorder,
    concurrency: settings.psp_concurrency,
    idle_poll_ms,
    lease_seconds,
    page_seconds,
    unknown_quiet_seconds,
  });
  const workers = [
    executor,
    new OperationRunner({
      ...parts,
      recorder,
      kinds,
      concurrency: settings.psp_concurrency,
      lease_seconds,
      unknown_quiet_seconds,
      idle_poll_ms,
    }),
    createAuthorizationExpiry(parts),
    new WebhookApplier({ ...parts, recorder, idle_poll_ms }),
    createAttemptResolver({ ...parts, recorder, idle_poll_ms }),
    createApprovalExpiry(parts),
    createStaleAttemptSweep({ ...parts, lease_seconds }),
    createMonitor({
      ...parts,
      overdue_seconds: settings.overdue_seconds,
      interval_seconds: settings.monitor_seconds,
    }),
    createDeadLetterDrain({ ...parts, idle_poll_ms: 1_000 }),
    createAnswerPurge(parts),
  ];
  return {
    intake: new Intake({
      ...parts,
      executor: options.is_worker ? executor : null,
      pages: new Pages({
        ...parts,
        recorder,
        unknown_quiet_seconds,
        registrations_at_once_max: Math.max(1, settings.psp_concurrency / 4),
      }),
      limits: settings.limits,
      commission_basis_points: settings.commission_basis_points,
      idempotency_hours: settings.idempotency_hours,
      page_seconds,
    }),
    actions: createActions(parts.jobs, {
      clock: parts.clock,
      retries_max: settings.retry_attempts_max,
      approval_amounts: settings.resolution_approval_amounts,
      approval_hours: settings.approval_hours,
      lease_seconds,
    }),
    workers: {
      start: () => workers.forEach((worker) => worker.start()),
      async stop() {
        await Promise.all(workers.map((worker) => worker.stop()));
        await recorder.close();
      },
    },
  };
}
