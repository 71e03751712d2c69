import type { Money } from "../money/money.ts";
import type { Failure, OperationAnswer, OperationOutcome } from "./port-outcomes.ts";
import type { OperationRequest } from "./port.ts";

type Change = Pick<OperationRequest, "kind" | "money" | "captured_before_minor">;

/** The authorisation ended before the change: it expired, was captured in full, or was released. */
export const authorization_ended = "authorization_ended";

/**
 * What a charge's state says about its one operation in flight. `unchanged`: nothing happened yet, or the
 * state is an old one. A total that this operation cannot explain is unknown: a person must look.
 */
export function changeSeenIn(
  state: OperationAnswer,
  change: Change,
): OperationOutcome | { readonly kind: "unchanged" } {
  switch (state.kind) {
    case "succeeded":
      return afterTotal(state.charged, true, state.psp_reference, change);
    case "authorized":
      return afterTotal(state.captured, false, state.psp_reference, change);
    case "canceled":
      if (change.kind === "void") return { kind: "done", psp_reference: state.psp_reference };
      // Without a total nobody can say whether the capture came before: only its own report can.
      return state.captured === undefined
        ? { kind: "unchanged" }
        : afterTotal(state.captured, true, state.psp_reference, change);
    case "declined":
      // Declined for good while it was being voided: as good as voided.
      return change.kind === "void" && state.is_open !== true
        ? { kind: "done", psp_reference: state.psp_reference }
        : { kind: "unchanged" };
    case "pending":
    case "capture_failed":
      return { kind: "unchanged" };
    case "done":
    case "accepted":
    case "failed":
    case "not_sent":
    case "unknown":
      return state;
  }
}

function afterTotal(
  captured: Money,
  isClosed: boolean,
  psp_reference: string | null,
  change: Change,
): ReturnType<typeof changeSeenIn> {
  const { kind, money, captured_before_minor } = change;
  const captured_minor = captured.amount_minor;
  if (kind === "capture" && captured_minor === captured_before_minor + money.amount_minor)
    return { kind: "done", psp_reference };
  if (captured_minor < captured_before_minor) return { kind: "unchanged" };
  if (captured_minor === captured_before_minor) {
    if (!isClosed) return { kind: "unchanged" };
    // Without a capture there is nothing to close but a payment that was made meanwhile.
    return kind === "void" && captured_before_minor > 0n ? { kind: "done", psp_reference } : ended;
  }
  if (kind === "void")
    return {
      kind: "failed",
      failure: {
        class: "hard_decline",
        code: "paid_meanwhile",
        message: "The payment was made before it could be voided.",
      },
    };
  return {
    kind: "unknown",
    reason:
      `The PSP has taken ${captured_minor} minor units in all, ` +
      `after ${captured_before_minor} and a capture of ${money.amount_minor}.`,
  };
}

const ended: { readonly kind: "failed"; readonly failure: Failure } = {
  kind: "failed",
  failure: { class: "hard_decline", code: authorization_ended, message: "The authorisation had ended." },
};
