import type { OperationId } from "../../src/ids.ts";
import type { DeadLetterDraft } from "../../src/jobs/jobs.ts";
import type { TransactionDraft } from "../../src/ledger/ledger.ts";
import { toCurrencyCode, type Money } from "../../src/money/money.ts";
import type { OperationKind, OperationState } from "../../src/payments/record/operation-kind.ts";
import { planOfOperation, type PlannableOperation } from "../../src/payments/record/operation-plan.ts";
import { emptyPlan, type Plan } from "../../src/payments/record/plan.ts";
import type { RetryPolicies } from "../../src/payments/model/retry-policies.ts";
import type { OperationOutcome, PspRouter, Turn } from "../../src/psp/psp.ts";
import { refundPosting, returnPosting, type BookedRefund } from "./refund-postings.ts";

/** What the port would add: `refund(request: RefundRequest): Promise<OperationOutcome>`. */
export type RefundRequest = {
  readonly operation_id: OperationId;
  /** The idempotency key of this refund: it stays the same until the PSP certainly did nothing under it. */
  readonly psp_key: string;
  /** The PSP's id of the charge. */
  readonly psp_reference: string | null;
  readonly money: Money;
  readonly turn: Turn;
};

type Parts = {
  readonly policies: RetryPolicies;
  readonly random: () => number;
  /** What `PspRouter.refund` would be. */
  readonly refund: (router: PspRouter, psp: string, request: RefundRequest) => Promise<OperationOutcome>;
};

export const refundKind = ({ policies, random, refund }: Parts): OperationKind => ({
  kind: "refund",
  request: (operation, turn) => {
    const { operation_id, psp, psp_key, amount_minor, currency } = operation;
    if (operation.attempt_id === null || amount_minor === null)
      throw new Error(`${operation_id} refunds no charge`);
    const request: RefundRequest = {
      operation_id,
      psp_key,
      psp_reference: operation.attempt_psp_reference,
      money: { amount_minor, currency: toCurrencyCode(currency) },
      turn,
    };
    return { kind: "call", call: (router) => refund(router, psp, request) };
  },
  decide: (state) => {
    const refunded = refundIn(state);
    const { operation, booked } = refunded;
    const { report } = state;
    const plan = planOfOperation({ report, operation }, { policies, random: random() });
    if (plan === null) return contradiction(state, refunded);
    return { ...plan, postings: postingsOf(plan, booked), if_refused: unbookedOf(plan, refunded) };
  },
});

/** What its success or failure books; while it is open the money stays reserved. */
function postingsOf({ operation }: Plan, booked: BookedRefund): TransactionDraft[] {
  if (operation?.status === "succeeded") return [refundPosting(booked)];
  return operation?.status === "failed" ? [returnPosting(booked)] : [];
}

/** The money has gone, so the refund is made whatever the books say; if they refuse it, a person must look. */
function unbookedOf(plan: Plan, { operation, booked }: Refund): Plan["if_refused"] {
  if (plan.operation?.status !== "succeeded") return null;
  const reason = `The refund ${booked.operation_id} was made, but is not booked: the seller has less reserved than it took.`;
  return { below_floor: { ...plan, dead_letters: [discrepancy(booked, operation, reason)] } };
}

type Refund = { readonly operation: PlannableOperation; readonly booked: BookedRefund };

function refundIn(state: OperationState): Refund {
  if (state.subject === "operation") throw new Error(`${state.operation.operation_id} refunds no charge`);
  const { row } = state;
  if (row.operation_id === null || row.operation_amount_minor === null)
    throw new Error(`a report about ${row.payment_order_id} names no refund`);
  return {
    operation: {
      ...row,
      operation_id: row.operation_id,
      kind: row.operation_kind,
      status: row.operation_status,
      epoch: row.operation_epoch,
      inquiry_count: row.operation_inquiry_count,
    },
    booked: { ...row, operation_id: row.operation_id, amount_minor: row.operation_amount_minor },
  };
}

/** A decided refund that the PSP reports the other way: money moved, or did not, against our books. A person must look. */
function contradiction({ report }: OperationState, { operation, booked }: Refund): Plan | null {
  const isOtherwise =
    (operation.status === "failed" && report.outcome.kind === "done") ||
    (operation.status === "succeeded" && report.outcome.kind === "failed");
  if (!isOtherwise) return null;
  const reason = `The PSP reports the refund ${booked.operation_id} as ${report.outcome.kind}; here it has ${operation.status}.`;
  return { ...emptyPlan, dead_letters: [discrepancy(booked, operation, reason)] };
}

function discrepancy(
  { payment_order_id, attempt_id }: BookedRefund,
  { key_number }: PlannableOperation,
  reason: string,
): DeadLetterDraft {
  return {
    queue: "payment_execute",
    subject_id: payment_order_id,
    payload: { payment_order_id, attempt_id },
    kind: "discrepancy",
    reason,
    attempt_count: key_number,
  };
}
