import { toCurrencyCode } from "../../money/money.ts";
import {
  authorization_ended,
  type OperationAnswer,
  type OperationRequest,
  type Turn,
} from "../../psp/psp.ts";
import { openAttemptStatuses } from "../model/model.ts";
import type { OperationKind, OperationState, OperationStep } from "../record/operation-kind.ts";
import type { RunnableOperation } from "../store/operation-turn-queries.ts";
import type { DecideCharge } from "../record/planning.ts";
import type { OrderReport } from "../record/psp-report.ts";
import type { OpenRow } from "../store/outcome-queries.ts";

type OfCharge = Extract<RunnableOperation, { attempt_id: string }>;

/** `decideCharge` decides on the order, its attempt and the capture together. */
export const captureKind = (decideCharge: DecideCharge): OperationKind => ({
  kind: "capture",
  decides_orders: true,
  request: (operation, turn) => {
    const charged = ofCharge(operation);
    return charged.attempt_status === "authorized" ? ask("capture", charged, turn) : paymentEnded;
  },
  decide: (state) => decideCharge(...chargeOf(state)),
});

/** As `captureKind`. */
export const voidKind = (decideCharge: DecideCharge): OperationKind => ({
  kind: "void",
  decides_orders: true,
  request: (operation, turn) => {
    const charged = ofCharge(operation);
    const { attempt_status, void_cause } = charged;
    if (attempt_status === "authorized" && void_cause === "declined") return paidMeanwhile;
    const isOpen = attempt_status === "authorized" || openAttemptStatuses.includes(attempt_status);
    return isOpen ? ask("void", charged, turn) : paymentEnded;
  },
  decide: (state) => decideCharge(...chargeOf(state)),
});

const refused = (code: string, message: string): OperationStep => ({
  kind: "known",
  outcome: { kind: "failed", failure: { class: "hard_decline", code, message } },
});
const paymentEnded = refused(authorization_ended, "The payment had ended.");
const paidMeanwhile = refused("paid_meanwhile", "The buyer has authorised it meanwhile.");

function ask(kind: "capture" | "void", operation: OfCharge, turn: Turn): OperationStep {
  const request = requestOf(kind, operation, turn);
  return { kind: "call", call: (router): Promise<OperationAnswer> => router.operate(operation.psp, request) };
}

function requestOf(kind: "capture" | "void", operation: OfCharge, turn: Turn): OperationRequest {
  const { operation_id, psp_key, attempt_id, attempt_psp_reference, page_token, is_final } = operation;
  return {
    kind,
    operation_id,
    psp_key,
    attempt_id,
    psp_reference: attempt_psp_reference,
    page_token,
    is_final,
    turn,
    money: {
      amount_minor: operation.amount_minor ?? operation.attempt_amount_minor,
      currency: toCurrencyCode(operation.currency),
    },
    captured_before_minor: operation.captured_minor,
  };
}

function ofCharge(operation: RunnableOperation): OfCharge {
  if (operation.attempt_id !== null) return operation;
  throw new Error(`the ${operation.kind} ${operation.operation_id} is about no charge`);
}

function chargeOf(state: OperationState): [OrderReport, OpenRow] {
  if (state.subject === "charge") return [state.report, state.row];
  throw new Error(`the ${state.operation.kind} ${state.operation.operation_id} is about no charge`);
}
