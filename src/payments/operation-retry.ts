import type { Failure } from "../psp/psp.ts";
import {
  inquiryAlarm,
  inquiryDelay,
  operationAs,
  retryDelay,
  type DecidableOperation,
  type DecisionInput,
  type OperationDecision,
} from "./decision.ts";
import { resolved_by_person } from "./model.ts";
import type { Seen } from "./operation-seen.ts";

/** With the pauses of inquiries about two hours, until a person hears that a PSP owes us an answer. */
const answers_awaited_max = 30;

/** No request was made, so the key was not used, nor a try. */
export const heldBack = ({ retry_after_seconds = 1 }: Failure): OperationDecision =>
  operationAs("queued", { retry_delay_seconds: retry_after_seconds });

/**
 * Certainly not done: retried under another key by the policy of its class, retried from the start, or given
 * up.
 */
export function failedFor(
  input: DecisionInput,
  operation: DecidableOperation,
  failure: Failure,
): OperationDecision {
  const delay = retryDelay(input, failure, operation.key_number);
  if (delay !== undefined)
    return operationAs("queued", { failure, is_new_key: true, retry_delay_seconds: delay });
  const isExhausted = input.policies[failure.class].strategy !== "none";
  if (isExhausted)
    return operationAs("failed", {
      failure,
      alarm: `Given up after ${operation.key_number} tries: ${failure.message}`,
    });
  return operationAs("failed", {
    failure,
    alarm: leavesMoneyHeld(operation, failure)
      ? `It could not be released at the PSP, and the money may stay held there: ${failure.message}`
      : null,
  });
}

/** A failed void leaves money held, unless the buyer has paid with it or a person already knows. */
const leavesMoneyHeld = ({ kind, void_cause }: DecidableOperation, { code }: Failure): boolean =>
  kind === "void" && code !== resolved_by_person && !(void_cause === "declined" && code === "paid_meanwhile");

export function stillOpen(
  input: DecisionInput,
  { inquiry_count }: DecidableOperation,
  seen: Extract<Seen, { kind: "accepted" | "unknown" }>,
): OperationDecision {
  if (seen.kind === "accepted") {
    const alarm =
      inquiry_count === answers_awaited_max ? "The PSP accepted it and does not say how it ended." : null;
    return operationAs("pending", {
      psp_reference: seen.psp_reference,
      retry_delay_seconds: inquiryDelay(input, inquiry_count),
      alarm,
    });
  }
  const failure: Failure = { class: "unreachable", code: "outcome_unknown", message: seen.reason };
  return operationAs("unknown", {
    failure,
    retry_delay_seconds: inquiryDelay(input, inquiry_count, seen.retry_after_seconds),
    alarm: inquiryAlarm(inquiry_count, seen.reason),
  });
}
