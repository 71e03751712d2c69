import { capture_failed, undoCapture } from "./capture-failure.ts";
import {
  unchanged,
  type AttemptOutcome,
  type DecidableOperation,
  type Decision,
  type DecisionInput,
} from "./decision.ts";
import { afterCapture } from "./operation-effects.ts";
import type { Seen } from "./operation-seen.ts";

/** A report about a decided operation: a repetition, or the opposite of what is recorded. */
export function contradiction(
  input: DecisionInput,
  operation: DecidableOperation,
  seen: Seen,
): Decision | null {
  const { order, attempt, outcome } = input;
  const { kind, status } = operation;
  const taken_minor = takenIn(outcome);
  if (
    seen.kind === "failed" &&
    seen.capture_reference !== undefined &&
    kind === "capture" &&
    status === "succeeded"
  ) {
    return undoCapture(input, operation, seen.capture_reference, seen.failure);
  }
  // Older than the failure of this very capture.
  const isOld =
    seen.kind === "done" &&
    operation.failure_code === capture_failed &&
    (operation.psp_reference === null || operation.psp_reference === seen.psp_reference);
  if (isOld) return null;
  const isOpposite =
    (seen.kind === "done" && status === "failed") || (seen.kind === "failed" && status === "succeeded");
  // Only a report that names the operation is about it; a state that arrived late is not.
  const isNamed = input.source.kind === "operation" || outcome.kind === "done" || outcome.kind === "failed";
  if (isOpposite && isNamed) {
    const alarm = `The PSP reports a ${kind} as ${seen.kind} that ${status} here.`;
    // A capture is booked once: one that was reversed cannot be booked again under its name.
    const isBookable =
      seen.kind === "done" &&
      kind === "capture" &&
      attempt.status === "authorized" &&
      operation.failure_code !== capture_failed &&
      order.captured_minor + order.capturing_minor + (operation.amount_minor ?? 0n) <= order.amount_minor;
    const alarmed = { alarm, alarm_kind: "discrepancy" } as const;
    if (!isBookable) return unchanged(input, alarmed);
    return { ...afterCapture(input, operation, seen.psp_reference), ...alarmed };
  }
  if (taken_minor <= order.captured_minor + order.capturing_minor) return null;
  const alarm =
    `The PSP has taken ${taken_minor} minor units, more than the ${order.captured_minor} ` +
    `captured here and the ${order.capturing_minor} under way.`;
  return unchanged(input, { alarm, alarm_kind: "discrepancy" });
}

/** What the PSP has taken of the charge, as far as the report says. */
function takenIn(outcome: AttemptOutcome): bigint {
  switch (outcome.kind) {
    case "succeeded":
      return outcome.charged.amount_minor;
    case "authorized":
      return outcome.captured.amount_minor;
    default:
      return 0n;
  }
}
