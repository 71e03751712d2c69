/** What is to be done after a report: the next look at order and operation, a void, letters to a person. */
import { newId } from "../../ids.ts";
import type { DeadLetterDraft } from "../../jobs/jobs.ts";
import type { OperationStatus } from "../model/model.ts";
import { emptyPlan, type Plan, type PlannedJob } from "./plan.ts";
import type { Recorded } from "./psp-report.ts";

type PlannedWork = Pick<Plan, "jobs" | "dead_letters" | "voids" | "freed_lane" | "capturing" | "events">;

/** Of a page only the report of the first order leads to further work. */
export function workOf(recorded: Recorded): PlannedWork {
  if (!recorded.report.is_first) return emptyPlan;
  return {
    jobs: [...executionsOf(recorded), ...operationJobsOf(recorded)],
    dead_letters: [...orderLettersOf(recorded), ...operationLettersOf(recorded)],
    voids: voidsOf(recorded),
    ...endOfCapture(recorded),
    freed_lane: isFreed(recorded) ? laneOf(recorded.row) : null,
  };
}

function executionsOf({ row, decision: { retry_delay_seconds } }: Recorded): PlannedJob[] {
  if (retry_delay_seconds === null) return [];
  const data = { payment_order_id: row.payment_order_id };
  return [{ queue: "payment_execute", data, start_after_seconds: retry_delay_seconds }];
}

function operationJobsOf({ row: { operation_id }, decision: { operation } }: Recorded): PlannedJob[] {
  const start_after_seconds = operation?.retry_delay_seconds ?? null;
  if (operation_id === null || start_after_seconds === null) return [];
  return [{ queue: "operation_execute", data: { operation_id }, start_after_seconds }];
}

function orderLettersOf({ row, decision }: Recorded): DeadLetterDraft[] {
  if (decision.alarm === null) return [];
  const { payment_order_id, attempt_id, attempt_number } = row;
  return [
    {
      queue: "payment_execute",
      subject_id: payment_order_id,
      payload: { payment_order_id, attempt_id },
      reason: decision.alarm,
      kind: decision.alarm_kind,
      attempt_count: attempt_number,
    },
  ];
}

function operationLettersOf({ row, decision: { operation } }: Recorded): DeadLetterDraft[] {
  const reason = operation?.alarm ?? null;
  if (row.operation_id === null || reason === null) return [];
  const { operation_id, payment_order_id, attempt_id, key_number } = row;
  return [
    {
      queue: "operation_execute",
      subject_id: operation_id,
      payload: { operation_id, payment_order_id, attempt_id },
      reason,
      attempt_count: key_number,
    },
  ];
}

function voidsOf({ report, row: { attempt_id }, decision: { void_cause } }: Recorded): Plan["voids"] {
  if (void_cause === null) return [];
  return [{ operation_id: newId("op"), attempt_id, void_cause, created_by: report.actor }];
}

/** A decided capture is no longer in flight, and is an event. */
function endOfCapture({ row, decision: { operation } }: Recorded): Pick<Plan, "capturing" | "events"> {
  const isDecided = operation !== null && isFinal(operation.status);
  if (row.operation_id === null || row.operation_kind !== "capture" || !isDecided)
    return { capturing: [], events: [] };
  const { payment_order_id, seller_account, checkout_id, capture_id, operation_amount_minor } = row;
  const amount_minor = String(operation_amount_minor);
  const type = `payment_order.${operation.status === "succeeded" ? "captured" : "capture_failed"}`;
  const failure_code = operation.failure?.code ?? null;
  return {
    capturing: isFinal(row.operation_status) ? [] : [{ payment_order_id, change_minor: `-${amount_minor}` }],
    events: [
      {
        type,
        subject_type: "payment_order",
        subject_id: payment_order_id,
        seller_account,
        checkout_id,
        data: { capture_id, amount_minor, currency: row.currency, failure_code },
      },
    ],
  };
}

const laneOf = (row: Recorded["row"]): string | null => (row.operation_id === null ? null : row.lane);

const isFinal = (status: OperationStatus): boolean => status === "succeeded" || status === "failed";

/** An operation that goes back to the queue may now be behind another one. */
const isFreed = ({ decision: { operation } }: Recorded): boolean =>
  operation !== null && ["succeeded", "failed", "queued"].includes(operation.status);
