import { amount_mismatch, openAttemptStatuses, type OrderStatus } from "../model/model.ts";
import type { UnresolvedRow } from "../store/monitor-queries.ts";

/** The possible actions for an order that is not final, with reasons. */
export type PossibleAction = {
  readonly action:
    | "wait"
    | "review"
    | "cancel"
    | "redrive"
    | "discard"
    | "resolve_attempt"
    | "resolve_operation"
    | "approve";
  /** What to POST to, below `/api/v1`; null: nothing is to be done. */
  readonly path: string | null;
  readonly reason: string;
};

const cancelable: readonly OrderStatus[] = ["NOT_STARTED", "RETRY_SCHEDULED", "PENDING"];

/**
 * The PSP account of the newest attempt, as this process knows it. An external account is not asked: it
 * reports by itself.
 */
type Account = { readonly is_configured: boolean; readonly reports_by_itself: boolean };

export function possibleActions(row: UnresolvedRow, account: Account): PossibleAction[] {
  if (row.status_cause === "risk_review") {
    const reason = "A risk rule holds the checkout: approve or reject it.";
    return [post("review", "checkouts", row.checkout_id, "review", reason)];
  }
  return [
    ...waits(row, account),
    ...decisions(row, account.is_configured),
    ...letterDecisions(row),
    ...cancels(row),
  ];
}

function post(
  action: PossibleAction["action"],
  list: string,
  id: string,
  verb: string,
  reason: string,
): PossibleAction {
  return { action, path: `/${list}/${encodeURIComponent(id)}/${verb}`, reason };
}

function waits(row: UnresolvedRow, account: Account): PossibleAction[] {
  const reason = reasonToWait(row, account);
  return reason === null ? [] : [{ action: "wait", path: null, reason }];
}

function reasonToWait(row: UnresolvedRow, account: Account): string | null {
  if (row.resolution_due_at !== null) {
    const resolved = `A person resolved the attempt as ${row.resolved_as}`;
    return `${resolved}; that takes effect after ${row.resolution_due_at}.`;
  }
  if (row.psp !== null && !account.is_configured) return null;
  if (row.operation_id !== null) {
    return `The ${row.operation_kind} is ${row.operation_status}; the PSP is asked automatically.`;
  }
  if (isStopped(row)) return null;
  switch (row.status) {
    case "NOT_STARTED":
      return "It is charged as soon as a worker claims it.";
    case "RETRY_SCHEDULED": {
      const time = row.next_retry_at === null ? "" : ` after ${row.next_retry_at}`;
      return `The next attempt follows automatically${time}.`;
    }
    case "EXECUTING":
      return "The PSP is being called; if its answer is lost, it is asked again.";
    case "PENDING":
      return account.reports_by_itself
        ? "The collector has not reported it yet."
        : "The buyer must act, or the PSP decides; it is asked automatically.";
    case "UNKNOWN":
      return row.error_code === amount_mismatch
        ? null
        : "The PSP is asked again automatically, or reports it by webhook.";
    default:
      return null;
  }
}

function decisions(row: UnresolvedRow, is_psp_configured: boolean): PossibleAction[] {
  const { operation_id, operation_status, attempt_id, approval_id } = row;
  if (approval_id !== null) {
    const reason = "A resolution is proposed: approve or reject it with another key.";
    return [post("approve", "approvals", approval_id, "approve", reason)];
  }
  if (operation_id !== null && operation_status !== "queued") {
    const reason = "Look it up at the PSP and record the outcome you see.";
    return [post("resolve_operation", "operations", operation_id, "resolve", reason)];
  }
  if (attempt_id === null || !isOpen(row) || row.resolution_due_at !== null) return [];
  return [
    post("resolve_attempt", "attempts", attempt_id, "resolve", reasonToResolve(row, is_psp_configured)),
  ];
}

function reasonToResolve({ psp, error_code, status }: UnresolvedRow, is_psp_configured: boolean): string {
  if (!is_psp_configured) {
    return (
      `The PSP account ${psp} is not configured here: configure it, ` +
      "or look at the PSP and resolve the attempt."
    );
  }
  if (error_code === amount_mismatch) {
    return "The PSP reports another amount: refund it there, then resolve the attempt as failed.";
  }
  if (status === "PENDING") {
    return (
      "If the PSP shows the outcome but does not report it. " +
      "If the buyer can still pay, cancel there first."
    );
  }
  return "If the PSP's API cannot report the outcome: look at the PSP and resolve the attempt.";
}

const isOpen = ({ attempt_status }: UnresolvedRow): boolean =>
  attempt_status !== null && openAttemptStatuses.includes(attempt_status);

/** Its next attempt does not start while a discrepancy waits. */
const isStopped = (row: UnresolvedRow): boolean =>
  row.dead_letter_kind === "discrepancy" &&
  (row.status === "RETRY_SCHEDULED" || row.status === "EXECUTING") &&
  !isOpen(row);

function letterDecisions(row: UnresolvedRow): PossibleAction[] {
  const { dead_letter_id, dead_letter_kind, status, operation_id } = row;
  if (dead_letter_id === null) return [];
  // The resolution closes the letter; asking the PSP again tells nothing more.
  if (isOpen(row) && row.error_code === amount_mismatch) return [];
  if (dead_letter_kind === "discrepancy") {
    const then = isStopped(row) ? " The order is then FAILED, and can be retried." : "";
    const reason =
      "The PSP reports money that is not booked here: refund it there, " +
      `then discard the dead letter.${then}`;
    return [post("discard", "dead_letters", dead_letter_id, "discard", reason)];
  }
  const effect =
    status === "UNKNOWN" || operation_id !== null ? "the PSP is asked at once" : "the work is tried again";
  return [post("redrive", "dead_letters", dead_letter_id, "redrive", `A dead letter waits: ${effect}.`)];
}

function cancels({ status, payment_order_id, operation_id }: UnresolvedRow): PossibleAction[] {
  if (operation_id !== null || !cancelable.includes(status)) return [];
  return [
    post(
      "cancel",
      "payments",
      payment_order_id,
      "cancel",
      "It is canceled, at the PSP too, and not charged.",
    ),
  ];
}
