/** The ids in a report, each with the attempt or the operation that it belongs to. */
import type { PspReference, PspReferenceType } from "../../psp/psp.ts";
import { namesAnotherCharge } from "../decide/another-charge.ts";
import type { RunnableOperation } from "../store/operation-turn-queries.ts";
import type { OpenRow } from "../store/outcome-queries.ts";
import { emptyPlan, type Plan, type PlannedReference } from "./plan.ts";
import { operationIdOf, type OrderReport, type PspReport } from "./psp-report.ts";
import { factsOf } from "./report-facts.ts";

/** The types of ids that belong to an operation, if the report names one. */
const types_of_operations: readonly PspReferenceType[] = [
  "capture",
  "void",
  "refund",
  "dispute",
  "payout",
  "transfer",
];

/**
 * Adds the ids in a report about a charge, or about an operation of one, even if nothing else follows from
 * the report.
 */
export function withChargeReferences(plan: Plan | null, report: OrderReport, row: OpenRow): Plan | null {
  const { outcome, source, is_first } = report;
  // A page has one charge, which the report of its first order brings.
  if (!is_first) return plan;
  const isOfAnother = source.kind !== "resolution" && namesAnotherCharge(factsOf(row).attempt, outcome);
  if (isOfAnother) return plan;
  const { psp, payment_order_id, attempt_id, attempt_number } = row;
  const letter = {
    queue: "payment_execute",
    subject_id: payment_order_id,
    payload: { payment_order_id, attempt_id },
    attempt_count: attempt_number,
  } as const;
  const references = newReferences(report, row).flatMap((one): PlannedReference[] => {
    const subject_id = subjectOf(one, plan, report, row);
    return subject_id === null ? [] : [{ ...one, psp, subject_id, letter }];
  });
  return withReferences(plan, references);
}

/** Adds the ids in a report about an operation that concerns no charge. */
export function withOperationReferences(
  plan: Plan | null,
  { outcome }: PspReport,
  { operation_id, psp, key_number }: RunnableOperation,
): Plan | null {
  const letter = {
    queue: "operation_execute",
    subject_id: operation_id,
    payload: { operation_id },
    attempt_count: key_number,
  } as const;
  const { references = [] } = outcome;
  return withReferences(
    plan,
    references.map((one) => ({ ...one, psp, subject_id: operation_id, letter })),
  );
}

/** All but those that are stored: nearly every report repeats the one by which the PSP is asked. */
function newReferences({ outcome: { references = [] } }: OrderReport, row: OpenRow): readonly PspReference[] {
  const operation_reference = row.operation_id === null ? null : row.operation_psp_reference;
  const known = [row.psp_reference, row.page_token, operation_reference];
  return references.filter(({ reference }) => !known.includes(reference));
}

function subjectOf(
  { type }: PspReference,
  plan: Plan | null,
  report: OrderReport,
  row: OpenRow,
): string | null {
  const { attempt_id, capture_method } = row;
  const named = operationIdOf(report.source) === null ? null : row.operation_id;
  if (types_of_operations.includes(type)) return named ?? attempt_id;
  if (type !== "balance_transaction" || capture_method === "automatic") return attempt_id;
  // Of an authorisation it is the last capture's: this one's, if it is the one that has just been made.
  return isOfCapture(plan, report, row) ? named : null;
}

/** Also if a webhook told that the capture was made before the answer to its request did. */
function isOfCapture(plan: Plan | null, { source }: OrderReport, row: OpenRow): boolean {
  if (row.operation_id === null || row.operation_kind !== "capture") return false;
  const isMadeNow = plan?.operation?.status === "succeeded";
  const isAnswer = source.kind === "operation" && source.is_first_send;
  return isMadeNow || (isAnswer && row.operation_status === "succeeded");
}

function withReferences(plan: Plan | null, references: readonly PlannedReference[]): Plan | null {
  return references.length === 0 ? plan : { ...(plan ?? emptyPlan), references };
}
