import type { Clock } from "../../clock.ts";
import type { Timestamp } from "../../db/db.ts";
import { learntReference } from "../decide/another-charge.ts";
import type { OperationChange } from "../store/operation-outcome-queries.ts";
import type { Recorded } from "./psp-report.ts";
import type { AttemptOutcome, Decision } from "../decide/decision.ts";
import type { Sealing } from "../../sealing.ts";
import type { OrderChange } from "../store/outcome-queries.ts";

export type RowLimits = {
  readonly clock: Clock;
  /** After how long an authorisation is given up, if the PSP does not end it sooner. */
  readonly authorization_seconds: number;
  /** How long a buyer may take to confirm a payment at the bank before it is voided. */
  readonly buyer_action_seconds: number;
  /** Encrypts next actions, which only the buyer may see. */
  readonly sealing: Sealing;
};

/** A decision as the row that writes it. */
export function orderRowOf({ report, row, decision }: Recorded, limits: RowLimits): OrderChange {
  const { outcome, source } = report;
  const page = outcome.kind === "registered" ? outcome : null;
  const psp_reference = learntReference(row, outcome, source.kind === "resolution");
  const isStored = outcome.kind === "unknown" && outcome.is_stored === true;
  return {
    payment_order_id: row.payment_order_id,
    attempt_id: row.attempt_id,
    order_status: decision.order_status,
    cause: decision.cause,
    actor: report.actor,
    captured_minor: String(row.captured_minor + decision.captures_minor - decision.undoes_minor),
    attempt_status: decision.attempt_status,
    psp_reference,
    psp_token: page?.page_token ?? row.page_token ?? psp_reference,
    page_token: page?.page_token ?? null,
    page_url: page?.url ?? null,
    authorization_expires_at:
      outcome.kind === "authorized" && decision.authorizes_minor > 0n
        ? endOf(outcome.expires_at, limits)
        : null,
    ...storedActionOf(outcome, decision, limits),
    failure_class: decision.failure_class,
    error_code: decision.error?.code ?? null,
    error_message: decision.error?.message ?? null,
    paid_change: Number(decision.order_status === "SUCCESS") - Number(row.status === "SUCCESS"),
    is_inquired: source.kind === "inquiry",
    psp_call_ms: source.kind === "charge" || source.kind === "inquiry" ? source.psp_call_ms : null,
    retry_delay_seconds: decision.retry_delay_seconds,
    has_stored_failure: isStored && row.operation_id === null,
  };
}

/**
 * The next action: whoever reads it can act for the buyer, so it is stored encrypted, and only while it is
 * needed. A report that does not mention it changes neither it nor its expiry.
 */
export function storedActionOf(
  outcome: AttemptOutcome,
  {
    attempt_status,
    keeps_next_action = false,
  }: Pick<Decision, "attempt_status"> & Partial<Pick<Decision, "keeps_next_action">>,
  { clock, sealing, buyer_action_seconds }: Pick<RowLimits, "clock" | "sealing" | "buyer_action_seconds">,
): Pick<OrderChange, "next_action" | "next_action_expires_at" | "keeps_next_action"> {
  const none = { next_action: null, next_action_expires_at: null };
  const isOpen = attempt_status === "pending" || attempt_status === "unknown";
  if (isOpen && (keeps_next_action || isSilent(outcome))) return { ...none, keeps_next_action: true };
  const next_action =
    outcome.kind === "pending" && attempt_status === "pending" ? (outcome.next_action ?? null) : null;
  if (next_action === null) return { ...none, keeps_next_action: false };
  const expires_at = new Date(clock.now().getTime() + buyer_action_seconds * 1_000).toISOString();
  return {
    next_action: sealing.seal(JSON.stringify(next_action)),
    next_action_expires_at: expires_at,
    keeps_next_action: false,
  };
}

/** Whether it says nothing about a next action. */
const isSilent = (outcome: AttemptOutcome): boolean =>
  outcome.kind === "unknown" || (outcome.kind === "pending" && outcome.next_action === undefined);

/** The PSP's end of an authorisation, which is real time, or ours, whichever comes first. */
function endOf(expires_at: Date | null, { clock, authorization_seconds }: RowLimits): Timestamp {
  const ours = clock.now().getTime() + authorization_seconds * 1_000;
  const theirs = expires_at === null ? ours : expires_at.getTime() + clock.ahead_ms;
  return new Date(Math.min(ours, theirs)).toISOString();
}

/** What becomes of the operation; the reports of a page's other orders repeat it. */
export function operationRowOf({ report, row, decision }: Recorded): OperationChange | null {
  const { operation } = decision;
  const { outcome, source } = report;
  if (row.operation_id === null || operation === null || !report.is_first) return null;
  return {
    operation_id: row.operation_id,
    status: operation.status,
    psp_reference: operation.psp_reference,
    is_new_key: operation.is_new_key,
    has_stored_failure: outcome.kind === "unknown" && outcome.is_stored === true,
    is_inquired: source.kind === "operation" && !source.is_first_send,
    failure_class: operation.failure?.class ?? null,
    failure_code: operation.failure?.code ?? null,
    failure_message: operation.failure?.message ?? null,
    retry_delay_seconds: operation.retry_delay_seconds,
  };
}
