import { capture_failed, undoCapture } from "./capture-failure.ts";
import { unchanged, type DecidableModification, type Decision, type DecisionInput } from "./decision.ts";
import { afterCapture } from "./modification-effects.ts";
import type { Seen } from "./modification-seen.ts";

/** News about a decided modification: a repetition, or the opposite of what we hold. */
export function contradiction(
  input: DecisionInput,
  modification: DecidableModification,
  seen: Seen,
): Decision | null {
  const { order, attempt, outcome } = input;
  const { kind, status } = modification;
  const taken_minor =
    outcome.kind === "succeeded"
      ? outcome.charged.amount_minor
      : outcome.kind === "authorized"
        ? outcome.captured.amount_minor
        : 0n;
  if (
    seen.kind === "failed" &&
    seen.capture_reference !== undefined &&
    kind === "capture" &&
    status === "succeeded"
  ) {
    return undoCapture(input, modification, seen.capture_reference, seen.failure);
  }
  // Older than the failure of this very capture.
  const isOld =
    seen.kind === "done" &&
    modification.failure_code === capture_failed &&
    (modification.psp_reference === null || modification.psp_reference === seen.psp_reference);
  if (isOld) return null;
  const isOpposite =
    (seen.kind === "done" && status === "failed") || (seen.kind === "failed" && status === "succeeded");
  // Only news that name the modification tell of it; a state that came late does not.
  const isNamed =
    input.source.kind === "modification" || outcome.kind === "done" || outcome.kind === "failed";
  if (isOpposite && isNamed) {
    const alarm = `The PSP reports a ${kind} as ${seen.kind} that ${status} here.`;
    // A capture is booked once: one that was reversed cannot be booked again under its name.
    const isBookable =
      seen.kind === "done" &&
      kind === "capture" &&
      attempt.status === "authorized" &&
      modification.failure_code !== capture_failed &&
      order.captured_minor + order.capturing_minor + (modification.amount_minor ?? 0n) <= order.amount_minor;
    const told = { alarm, alarm_kind: "discrepancy" } as const;
    if (!isBookable) return unchanged(input, told);
    return { ...afterCapture(input, modification, seen.psp_reference), ...told };
  }
  if (taken_minor <= order.captured_minor + order.capturing_minor) return null;
  const alarm =
    `The PSP has taken ${taken_minor} minor units, more than the ${order.captured_minor} ` +
    `captured here and the ${order.capturing_minor} under way.`;
  return unchanged(input, { alarm, alarm_kind: "discrepancy" });
}
