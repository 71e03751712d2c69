import type { Failure, PspOutcome } from "../../psp/psp.ts";
import {
  become,
  operationAs,
  unchanged,
  type DecidableOperation,
  type Decision,
  type DecisionInput,
} from "./decision.ts";
import { openAttemptStatuses } from "../model/model.ts";

/** The code of a capture that was made, or was to be made automatically, but whose money never arrives. */
export const capture_failed = "capture_failed";

/** The failure of an attempt that is captured at once. Null: it was known, or nothing was booked. */
export function decideCaptureFailed(
  input: DecisionInput,
  { capture_reference, money, failure }: Extract<PspOutcome, { kind: "capture_failed" }>,
): Decision | null {
  const { order, attempt } = input;
  const isOpen = openAttemptStatuses.includes(attempt.status);
  if (!isOpen && attempt.status !== "succeeded" && attempt.status !== "authorized") return null;
  const isWhole = money.amount_minor === attempt.amount_minor && money.currency === order.currency;
  if (attempt.status === "authorized" || attempt.capture_method === "manual" || !isWhole) {
    const seen = `a capture (${capture_reference}) of ${money.amount_minor} minor units of ${money.currency}`;
    const alarm = `The PSP reports that ${seen} failed; none of this amount is known here.`;
    return unchanged(input, { alarm, alarm_kind: "discrepancy" });
  }
  return become("FAILED", "declined", "capture_failed", {
    ...failed(failure),
    undoes_minor: order.captured_minor,
    alarm: alarmOf(capture_reference, failure, order.captured_minor),
    alarm_kind: "reversal",
  });
}

/**
 * The failure of a capture that was requested and booked: its credit is reversed, and the order keeps its
 * other captures or ends.
 */
export function undoCapture(
  input: DecisionInput,
  operation: DecidableOperation,
  capture_reference: string,
  failure: Failure,
): Decision {
  const { order, attempt } = input;
  if (operation.psp_reference !== null && operation.psp_reference !== capture_reference) {
    const made = `the capture ${operation.psp_reference} was made`;
    const alarm = `The PSP reports that the capture ${capture_reference} failed, but here ${made}.`;
    return unchanged(input, { alarm, alarm_kind: "discrepancy" });
  }
  const undoes_minor = operation.amount_minor ?? 0n;
  const undone = {
    undoes_minor,
    alarm: alarmOf(capture_reference, failure, undoes_minor),
    alarm_kind: "reversal" as const,
    operation: operationAs("failed", { failure, psp_reference: capture_reference }),
  };
  // While the authorisation is open it holds the amount again, for another capture.
  if (attempt.status === "authorized") return become(order.status, "authorized", order.status_cause, undone);
  const released = { ...undone, releases_minor: undoes_minor };
  if (order.captured_minor > undoes_minor)
    return become("SUCCESS", "succeeded", order.status_cause, released);
  return become("FAILED", "declined", "capture_failed", { ...released, ...failed(failure) });
}

const failed = ({
  code,
  message,
  class: failure_class,
}: Failure): Pick<Decision, "error" | "failure_class"> => ({ error: { code, message }, failure_class });

function alarmOf(capture_reference: string, { message }: Failure, undone_minor: bigint): string {
  const booked =
    undone_minor === 0n ? "Nothing was booked." : `The credit of ${undone_minor} minor units was reversed.`;
  return (
    `The capture ${capture_reference} failed at the PSP (${message}), so its money will not come. ` +
    `${booked} Charge the buyer again, or talk to them; do not capture it at the PSP as well.`
  );
}
