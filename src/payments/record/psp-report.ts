import type { Job } from "../../jobs/jobs.ts";
import type { AttemptOutcome, Decision } from "../decide/decision.ts";
import type { OpenRow } from "../store/outcome-queries.ts";

/**
 * Where a report comes from. What led to it (a job, a webhook) is completed in the commit that records it.
 */
export type ReportSource =
  /** A charge, or the registration of a page. */
  | (Call & { readonly kind: "charge"; readonly is_first_send: boolean; readonly job: ExecuteJob })
  /** A question about a charge or a page; the charge may have been sent again after it. */
  | (Call & { readonly kind: "inquiry"; readonly job: ExecuteJob })
  /** A request for a capture or void, or a question about one. */
  | (Call & {
      readonly kind: "operation";
      readonly operation_id: string;
      readonly is_first_send: boolean;
      readonly key_number: number;
      readonly job: OperationJob;
    })
  /** What a person saw at the PSP: of the charge, or of the capture or void that is named. */
  | {
      readonly kind: "resolution";
      readonly operation: { readonly operation_id: string; readonly job: OperationJob } | null;
    }
  /** `operation_id`: the capture or void that it names. */
  | { readonly kind: "webhook"; readonly message_id: string; readonly operation_id: string | null };

type Call = {
  /** The epoch in which the sender took up the attempt, or the operation. */
  readonly epoch: number;
  readonly psp_call_ms: number;
};
/** Null: no job led to the call. */
type ExecuteJob = Job<"payment_execute"> | null;
type OperationJob = Job<"operation_execute">;

/** A report of what became of an attempt or an operation at the PSP. */
export type PspReport = {
  /** Null: the attempt covers every order of its checkout, or there is no attempt. */
  readonly payment_order_id: string | null;
  /** Null: the report is about an operation that concerns no charge. */
  readonly attempt_id: string | null;
  readonly outcome: AttemptOutcome;
  readonly actor: string;
  readonly source: ReportSource;
};

/**
 * A report about one order of an attempt; only the first order's completes the source and looks at it again.
 */
export type OrderReport = PspReport & {
  readonly payment_order_id: string;
  readonly attempt_id: string;
  readonly is_first: boolean;
};
export type Recorded = { readonly report: OrderReport; readonly row: OpenRow; readonly decision: Decision };

/** The capture or void that a report is about; null: the charge. */
export function operationIdOf(source: ReportSource): string | null {
  switch (source.kind) {
    case "charge":
    case "inquiry":
      return null;
    case "operation":
    case "webhook":
      return source.operation_id;
    case "resolution":
      return source.operation?.operation_id ?? null;
  }
}
