import type { Failure } from "../../psp/psp.ts";
import {
  inquiryAlarm,
  inquiryDelay,
  operationAs,
  retryDelay,
  type DecidableOperation,
  type DecisionInput,
  type OperationDecision,
} from "./decision.ts";
import { resolved_by_person } from "../model/model.ts";
import type { Seen } from "./operation-seen.ts";

export type RetryTerms = Pick<DecisionInput, "policies" | "random">;
export type RetriedOperation = Pick<
  DecidableOperation,
  "void_cause" | "key_number" | "inquiry_count" | "unknown_inquiries_max" | "accepted_inquiries_max"
> & { readonly kind: string };

/** What follows if the PSP certainly did nothing. Without a call neither the key nor a try was used up. */
export function notSent(
  input: RetryTerms,
  operation: RetriedOperation,
  { failure, no_call_made }: Extract<Seen, { kind: "not_sent" }>,
): OperationDecision {
  if (no_call_made !== true) return failedFor(input, operation, failure);
  const { retry_after_seconds = 1 } = failure;
  return operationAs("queued", { retry_delay_seconds: retry_after_seconds });
}

/**
 * Certainly not done: retried under another key by the policy of its class, retried from the start, or given
 * up.
 */
export function failedFor(
  input: RetryTerms,
  operation: RetriedOperation,
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

/**
 * A void that fails leaves money held, unless the buyer has paid the order with it meanwhile, or a person
 * knows of it.
 */
const leavesMoneyHeld = ({ kind, void_cause }: RetriedOperation, { code }: Failure): boolean =>
  kind === "void" && code !== resolved_by_person && !(void_cause === "declined" && code === "paid_meanwhile");

export function stillOpen(
  input: RetryTerms,
  { inquiry_count, unknown_inquiries_max, accepted_inquiries_max }: RetriedOperation,
  seen: Extract<Seen, { kind: "accepted" | "unknown" }>,
): OperationDecision {
  if (seen.kind === "accepted") {
    const alarm =
      inquiry_count === accepted_inquiries_max ? "The PSP accepted it and does not say how it ended." : null;
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
    alarm: inquiryAlarm(inquiry_count, seen.reason, unknown_inquiries_max),
  });
}
