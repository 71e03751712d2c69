import type { Failure } from "../../psp/psp.ts";
import { become, operationAs, unchanged, type Decision, type DecisionInput } from "./decision.ts";
import type { Cause } from "../model/model.ts";
import { failedFor, notSent, stillOpen } from "./operation-retry.ts";
import { isOvertaken, seenBy } from "./operation-seen.ts";

/**
 * A report while an attempt that waits for its buyer is being voided: it may be given up, paid meanwhile, or
 * neither yet. `decideCharge` and `decline` say what becomes of the charge.
 */
export function decideVoid(
  input: DecisionInput,
  decideCharge: (input: DecisionInput) => Decision | null,
  decline: (input: DecisionInput, failure: Failure) => Decision,
): Decision | null {
  const { operation, attempt, source } = input;
  const isAnswer = source.kind === "operation";
  if (operation === null) return decideCharge(input);
  const seen = seenBy(input, operation);
  if (isOvertaken(input, operation, seen)) return null;
  switch (seen.kind) {
    case "done": {
      const succeeded = operationAs("succeeded", { psp_reference: seen.psp_reference });
      if (operation.void_cause === "declined" && attempt.failure !== null)
        return { ...decline(input, attempt.failure), operation: succeeded };
      const cause: Cause = operation.void_cause === "expired" ? "expired" : "canceled";
      return become("CANCELED", "canceled", cause, {
        error: { code: cause, message: "The payment was voided." },
        operation: succeeded,
      });
    }
    case "unchanged": {
      const still = isAnswer
        ? stillOpen(input, operation, { kind: "unknown", reason: "The PSP has not released it." })
        : null;
      // The buyer has authenticated meanwhile. Otherwise the void decides, and keeps the reason why it began.
      const isAuthorized = input.outcome.kind === "authorized";
      const charge = isAuthorized ? decideCharge(input) : null;
      return { ...(charge ?? unchanged(input)), operation: still };
    }
    case "failed":
    case "not_sent": {
      const decided =
        seen.kind === "not_sent"
          ? notSent(input, operation, seen)
          : failedFor(input, operation, seen.failure);
      if (input.outcome.kind === "succeeded")
        return { ...(decideCharge(input) ?? unchanged(input)), operation: { ...decided, alarm: null } };
      // The void has failed: the PSP is asked about the payment as before.
      return unchanged(input, {
        operation: decided,
        retry_delay_seconds: decided.status === "failed" ? 1 : null,
      });
    }
    case "accepted":
    case "unknown":
      return isAnswer ? unchanged(input, { operation: stillOpen(input, operation, seen) }) : unchanged(input);
  }
}
