import type { Failure, OperationOutcome } from "../../psp/psp.ts";
import {
  asUnknownIfResent,
  operationAs,
  type AttemptOutcome,
  type OperationDecision,
} from "../decide/decision.ts";
import {
  failedFor,
  notSent,
  stillOpen,
  type RetriedOperation,
  type RetryTerms,
} from "../decide/operation-retry.ts";
import type { RunnableOperation } from "../store/operation-turn-queries.ts";
import { emptyPlan, noChanges, type Plan, type PlannedChanges } from "./plan.ts";
import type { PspReport } from "./psp-report.ts";
import { sourceFactsOf } from "./report-facts.ts";

/** What the plan of an operation needs to know of it. */
export type PlannableOperation = RetriedOperation &
  Pick<RunnableOperation, "operation_id" | "status" | "lane" | "key_number" | "epoch">;

/**
 * The states, retries and letters of an operation that changes no charge's state; null: the report changes
 * nothing. A kind adds what its success or failure books.
 */
export function planOfOperation(
  { operation, report }: { readonly operation: PlannableOperation; readonly report: PspReport },
  terms: RetryTerms,
): Plan | null {
  const { operation_id, status, lane, key_number } = operation;
  if (status === "succeeded" || status === "failed") return null;
  const source = sourceFactsOf(report.source, { epoch: null, operation_epoch: operation.epoch });
  const seen = asUnknownIfResent(seenIn(report.outcome), source);
  const isOvertaken = source.kind === "operation" && source.key_number !== key_number;
  if (isOvertaken && seen.kind !== "done") return null;
  const decision = decisionOn(seen, operation, terms);
  const { failure, retry_delay_seconds, alarm } = decision;
  const isFreed = ["succeeded", "failed", "queued"].includes(decision.status);
  return {
    ...emptyPlan,
    operation: {
      operation_id,
      status: decision.status,
      psp_reference: decision.psp_reference,
      is_new_key: decision.is_new_key,
      has_stored_failure: report.outcome.kind === "unknown" && report.outcome.is_stored === true,
      is_inquired: source.kind === "operation" && !source.is_first_send,
      failure_class: failure?.class ?? null,
      failure_code: failure?.code ?? null,
      failure_message: failure?.message ?? null,
      retry_delay_seconds,
    },
    jobs:
      retry_delay_seconds === null
        ? []
        : [{ queue: "operation_execute", data: { operation_id }, start_after_seconds: retry_delay_seconds }],
    dead_letters:
      alarm === null
        ? []
        : [
            {
              queue: "operation_execute",
              subject_id: operation_id,
              payload: { operation_id },
              reason: alarm,
              attempt_count: key_number,
            },
          ],
    freed_lane: isFreed ? lane : null,
  };
}

/**
 * What follows if the ledger refuses what the success of an operation books: it fails, and a dead letter
 * opens.
 */
export function failedInstead(operation: PlannableOperation, failure: Failure): PlannedChanges {
  const { operation_id, kind, lane, key_number } = operation;
  return {
    ...noChanges,
    operation: {
      operation_id,
      status: "failed",
      psp_reference: null,
      is_new_key: false,
      has_stored_failure: false,
      is_inquired: false,
      failure_class: failure.class,
      failure_code: failure.code,
      failure_message: failure.message,
      retry_delay_seconds: null,
    },
    dead_letters: [
      {
        queue: "operation_execute",
        subject_id: operation_id,
        payload: { operation_id },
        // A letter of its own: the PSP has moved money that is not booked.
        kind: "discrepancy",
        reason: `The ${kind} was not booked: ${failure.message}`,
        attempt_count: key_number,
      },
    ],
    freed_lane: lane,
  };
}

function decisionOn(
  seen: OperationOutcome,
  operation: PlannableOperation,
  terms: RetryTerms,
): OperationDecision {
  switch (seen.kind) {
    case "done":
      return operationAs("succeeded", { psp_reference: seen.psp_reference });
    case "failed":
      return failedFor(terms, operation, seen.failure);
    case "not_sent":
      return notSent(terms, operation, seen);
    case "accepted":
    case "unknown":
      return stillOpen(terms, operation, seen);
  }
}

/** The state of a charge says nothing about an operation that concerns none. */
function seenIn(outcome: AttemptOutcome): OperationOutcome {
  switch (outcome.kind) {
    case "done":
    case "failed":
    case "not_sent":
    case "accepted":
    case "unknown":
      return outcome;
    default:
      return { kind: "unknown", reason: `The PSP answered with a charge that is ${outcome.kind}.` };
  }
}
