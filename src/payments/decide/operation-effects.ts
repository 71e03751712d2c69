import { authorization_ended, type Failure } from "../../psp/psp.ts";
import {
  become,
  operationAs,
  unchanged,
  type DecidableOperation,
  type Decision,
  type DecisionInput,
} from "./decision.ts";
import { resolved_by_person } from "../model/model.ts";
import { failedFor } from "./operation-retry.ts";

export function afterCapture(
  input: DecisionInput,
  { amount_minor, is_final }: DecidableOperation,
  psp_reference: string | null,
): Decision {
  const { order, attempt, outcome, releases_rest } = input;
  const captures_minor = amount_minor ?? 0n;
  const rest_minor = order.amount_minor - order.captured_minor - captures_minor;
  const booked = { captures_minor, operation: operationAs("succeeded", { psp_reference }) };
  const isClosed =
    outcome.kind === "succeeded" || outcome.kind === "canceled" || attempt.authorization_ended_as !== null;
  if (rest_minor === 0n || isClosed || (is_final && releases_rest)) {
    return become("SUCCESS", "succeeded", "captured", { ...booked, releases_minor: rest_minor });
  }
  // If the PSP keeps the rest, a separate void releases it.
  return become(order.status, "authorized", order.status_cause, {
    ...booked,
    void_cause: is_final ? "canceled" : null,
  });
}

export const afterVoid = (
  input: DecisionInput,
  { void_cause }: DecidableOperation,
  psp_reference: string | null,
): Decision => ({
  ...end(input, void_cause === "expired" ? "expired" : "canceled"),
  operation: operationAs("succeeded", { psp_reference }),
});

/** The authorisation is over: what was not taken is the buyer's again. */
export function end({ order }: DecisionInput, reason: "canceled" | "expired"): Decision {
  const releases_minor = order.amount_minor - order.captured_minor;
  if (order.captured_minor > 0n) return become("SUCCESS", "succeeded", "rest_released", { releases_minor });
  const message = reason === "expired" ? "The time to capture ran out." : "The authorisation was released.";
  return become("CANCELED", "canceled", reason, { releases_minor, error: { code: reason, message } });
}

export function afterFailedOperation(
  input: DecisionInput,
  operation: DecidableOperation,
  failure: Failure,
): Decision {
  const decided = failedFor(input, operation, failure);
  const { order, attempt, outcome } = input;
  if (attempt.authorization_ended_as !== null)
    return { ...end(input, attempt.authorization_ended_as), operation: operationAs("failed", { failure }) };
  // The state that refuses the change is itself the end of the authorisation.
  if (failure.code === authorization_ended && outcome.kind !== "failed") {
    return {
      ...end(input, outcome.kind === "canceled" ? outcome.reason : "canceled"),
      operation: { ...decided, alarm: null },
    };
  }
  // Some PSPs release nothing once a part is captured. We capture no more, so the order has ended anyway.
  const isRestKept = operation.kind === "void" && order.captured_minor > 0n && isRefusal(input, failure);
  return isRestKept
    ? { ...end(input, "canceled"), operation: decided }
    : unchanged(input, { operation: decided });
}

/** The PSP refused it: no person resolved it as failed, and the buyer did not pay meanwhile. */
const isRefusal = ({ policies }: DecisionInput, { class: failureClass, code }: Failure): boolean =>
  policies[failureClass].strategy === "none" && code !== "paid_meanwhile" && code !== resolved_by_person;
