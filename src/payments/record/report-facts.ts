import type { DecisionInput } from "../decide/decision.ts";
import type { ReportSource } from "./psp-report.ts";
import type { OpenRow } from "../store/outcome-queries.ts";

export function factsOf(row: OpenRow): Pick<DecisionInput, "order" | "attempt" | "operation"> {
  const { failure_class, failure_code, failure_message } = row;
  return {
    order: row,
    attempt: {
      ...row,
      status: row.attempt_status,
      amount_minor: row.attempt_amount_minor,
      failure:
        failure_class === null || failure_code === null
          ? null
          : { class: failure_class, code: failure_code, message: failure_message ?? failure_code },
    },
    operation: row.operation_id === null ? null : operationFactsOf(row),
  };
}

/** An operation that changes the charge; others have no part in what becomes of it. */
function operationFactsOf(row: OpenRow & { readonly operation_id: string }): DecisionInput["operation"] {
  const { operation_kind } = row;
  if (operation_kind !== "capture" && operation_kind !== "void") return null;
  return {
    ...row,
    kind: operation_kind,
    status: row.operation_status,
    amount_minor: row.operation_amount_minor,
    inquiry_count: row.operation_inquiry_count,
    psp_reference: row.operation_psp_reference,
    failure_code: row.operation_failure_code,
  };
}

/** The current epochs of the attempt and of the operation; null: there is none. */
type Epochs = { readonly epoch: number | null; readonly operation_epoch: number | null };

export const epochsOf = (row: OpenRow): Epochs => ({
  epoch: row.epoch,
  operation_epoch: row.operation_id === null ? null : row.operation_epoch,
});

/**
 * What a decision needs to know of a report's source. If another worker has taken the work up since, that one
 * may have sent it first.
 */
export function sourceFactsOf(source: ReportSource, current: Epochs): DecisionInput["source"] {
  switch (source.kind) {
    case "charge":
      return { kind: "charge", is_first_send: source.is_first_send && source.epoch === current.epoch };
    case "operation": {
      const { key_number, epoch } = source;
      const isCurrent = epoch === current.operation_epoch;
      return { kind: "operation", is_first_send: source.is_first_send && isCurrent, key_number };
    }
    case "inquiry":
    case "resolution":
    case "webhook":
      return { kind: source.kind };
  }
}
