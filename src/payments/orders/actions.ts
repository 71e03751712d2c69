import { reject, type ApprovalRow, type Requester } from "../../approvals/approvals.ts";
import type { Author } from "../../audit/audit.ts";
import type { Timestamp, Transaction } from "../../db/db.ts";
import type { DeadLetterRow, Jobs } from "../../jobs/jobs.ts";
import {
  approveResolution,
  resolveAttempt,
  type Resolved,
  type ResolutionOptions,
} from "./attempt-resolution.ts";
import { cancelCheckout, cancelOrder } from "./cancellation.ts";
import { reviewCheckout } from "./checkout-review.ts";
import { discardLetter } from "./discrepancies.ts";
import type { AttemptResolution, OperationRow, OrderRow, Resolution } from "../model/model.ts";
import { resolveOperation } from "./operation-resolution.ts";
import type { CaptureRequest } from "./operation-requests.ts";
import { captureOrder } from "./order-capture.ts";
import { retryOrder } from "./order-retry.ts";
import { redriveLetter } from "./redrive.ts";
import { revokeStatusLink } from "./status-links.ts";

/**
 * What a person may do with an order. Each action locks the order and is audited, in the caller's
 * transaction.
 */
export type Actions = {
  /** `card_token`: another card than the checkout's. */
  retry(tx: Transaction, paymentOrderId: string, by: Author, card_token?: string): Promise<OrderRow>;
  /** Takes all or a part of an authorised order. */
  capture(
    tx: Transaction,
    paymentOrderId: string,
    request: CaptureRequest,
    by: Author,
  ): Promise<{ operation: OperationRow; is_new: boolean }>;
  /** Takes down what a person saw at the PSP of a capture or void. */
  resolveOperation(
    tx: Transaction,
    operationId: string,
    resolution: Resolution,
    by: Author,
  ): Promise<{ operation: OperationRow; is_new: boolean }>;
  /** Stores the resolution of an undecided attempt, or proposes it if another key must approve. */
  resolveAttempt(
    tx: Transaction,
    attemptId: string,
    resolution: AttemptResolution,
    by: Requester,
  ): Promise<Resolved>;
  /** Approves a proposal and carries it out. `content_hash` proves what the approver has read. */
  approve(
    tx: Transaction,
    approvalId: string,
    verdict: { content_hash: string; note: string | null; by: Requester },
  ): Promise<ApprovalRow>;
  reject(tx: Transaction, approvalId: string, verdict: { note: string; by: Requester }): Promise<ApprovalRow>;
  /** `is_under_way`: the PSP must give something up first. */
  cancel(
    tx: Transaction,
    paymentOrderId: string,
    by: Author,
  ): Promise<{ order: OrderRow; is_under_way: boolean }>;
  /** Every order of a checkout that can be canceled. */
  cancelCheckout(
    tx: Transaction,
    checkoutId: string,
    by: Author,
  ): Promise<{ orders: readonly OrderRow[]; is_under_way: boolean }>;
  review(
    tx: Transaction,
    checkoutId: string,
    decision: "approve" | "reject",
    by: Author,
  ): Promise<readonly OrderRow[]>;
  redrive(tx: Transaction, deadLetterId: string, by: Author, note: string | null): Promise<DeadLetterRow>;
  discard(tx: Transaction, deadLetterId: string, by: Author, note: string): Promise<DeadLetterRow>;
  /** Gives the time of the revocation. */
  revokeStatusLink(tx: Transaction, checkoutId: string, by: Author): Promise<Timestamp>;
};

export function createActions(
  jobs: Jobs,
  options: ResolutionOptions & { readonly retries_max: number },
): Actions {
  return {
    retry: (tx, paymentOrderId, by, card_token) =>
      retryOrder(tx, jobs, options, paymentOrderId, by, card_token),

    capture: (tx, paymentOrderId, request, by) => captureOrder(tx, jobs, paymentOrderId, request, by),

    resolveOperation: (tx, operationId, resolution, by) =>
      resolveOperation(tx, jobs, operationId, resolution, by),

    resolveAttempt: (tx, attemptId, resolution, by) => resolveAttempt(tx, options, attemptId, resolution, by),

    /**
     * One way to carry it out for each kind. Errors: those of the kind's own, and of `approve` in the
     * approvals room.
     */
    approve: (tx, approvalId, verdict) => approveResolution(tx, options, approvalId, verdict),

    reject: (tx, approvalId, verdict) => reject(tx, approvalId, { ...verdict, at: options.clock.now() }),

    cancel: (tx, paymentOrderId, by) => cancelOrder(tx, jobs, paymentOrderId, by),

    cancelCheckout: (tx, checkoutId, by) => cancelCheckout(tx, jobs, checkoutId, by),

    review: (tx, checkoutId, decision, by) => reviewCheckout(tx, jobs, checkoutId, decision, by),

    redrive: (tx, deadLetterId, by, note) => redriveLetter(tx, jobs, deadLetterId, by, note),

    discard: discardLetter,
    revokeStatusLink,
  };
}
