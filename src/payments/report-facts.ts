import type { DecisionInput } from "./decision.ts";
import type { ReportSource } from "./psp-report.ts";
import type { OpenRow } from "./settlement-queries.ts";

export function factsOf(row: OpenRow): Pick<DecisionInput, "order" | "attempt" | "modification"> {
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
    modification:
      row.modification_id === null
        ? null
        : {
            ...row,
            kind: row.modification_kind,
            status: row.modification_status,
            amount_minor: row.modification_amount_minor,
            inquiry_count: row.modification_inquiry_count,
            psp_reference: row.modification_psp_reference,
            failure_code: row.modification_failure_code,
          },
  };
}

/** What a decision needs to know of a report's source. Who took the work up again makes a first send doubtful. */
export function sourceFactsOf(source: ReportSource, row: OpenRow): DecisionInput["source"] {
  switch (source.kind) {
    case "charge":
      return { kind: "charge", is_first_send: source.is_first_send && source.epoch === row.epoch };
    case "modification": {
      const { key_number, epoch } = source;
      const isCurrent = row.modification_id !== null && epoch === row.modification_epoch;
      return { kind: "modification", is_first_send: source.is_first_send && isCurrent, key_number };
    }
    case "inquiry":
    case "resolution":
    case "webhook":
      return { kind: source.kind };
  }
}
