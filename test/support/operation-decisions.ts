import type {
  AttemptOutcome,
  DecidableOperation,
  Decision,
  DecisionInput,
} from "../../src/payments/decide/decision.ts";
import { decideReport } from "../../src/payments/decide/state-machine.ts";
import type { FailureClass, PspOutcome } from "../../src/psp/psp.ts";
import { failure, firstSend, policies, usd } from "./charge-decisions.ts";

type Canceled = Extract<PspOutcome, { kind: "canceled" }>;

export const money = (amount_minor: bigint) => ({ amount_minor, currency: usd });

export const authorized = (captured: bigint, amount = 100n): PspOutcome => ({
  kind: "authorized",
  psp_reference: "pi_1",
  authorized: money(amount),
  captured: money(captured),
  expires_at: null,
});
export const succeeded = (charged: bigint): PspOutcome => ({
  kind: "succeeded",
  psp_reference: "pi_1",
  charged: money(charged),
});
export const canceled: Canceled = { kind: "canceled", psp_reference: "pi_1", reason: "canceled" };
export const expired: Canceled = { kind: "canceled", psp_reference: "pi_1", reason: "expired" };
export const failed = (failureClass: FailureClass): AttemptOutcome => ({
  kind: "failed",
  failure: failure(failureClass),
});
export const done: AttemptOutcome = { kind: "done", psp_reference: "op-1" };

const alarms = { unknown_inquiries_max: 8, accepted_inquiries_max: 30 };

export const capture = (
  amount_minor: bigint,
  changes: Partial<DecidableOperation> = {},
): DecidableOperation => ({
  kind: "capture",
  ...alarms,
  status: "executing",
  amount_minor,
  is_final: false,
  void_cause: null,
  key_number: 1,
  inquiry_count: 0,
  psp_reference: null,
  failure_code: null,
  ...changes,
});
export const voided = (changes: Partial<DecidableOperation> = {}): DecidableOperation => ({
  kind: "void",
  ...alarms,
  status: "executing",
  amount_minor: null,
  is_final: true,
  void_cause: "canceled",
  key_number: 1,
  inquiry_count: 0,
  psp_reference: null,
  failure_code: null,
  ...changes,
});

/** The answer to a request that had the key with this number. */
export const answerTo = (key_number: number, is_first_send = true): DecisionInput["source"] => ({
  kind: "operation",
  is_first_send,
  key_number,
});

type Changes = {
  captured?: bigint;
  capturing?: bigint;
  attempt?: Partial<DecisionInput["attempt"]>;
  order?: Partial<DecisionInput["order"]>;
  operation?: DecidableOperation | null;
} & Partial<Pick<DecisionInput, "source" | "releases_rest">>;

/** A report about an authorisation of 100, of which so much was captured before. */
export function decideOn(
  outcome: AttemptOutcome,
  { captured = 0n, capturing = 0n, attempt, order, operation = null, ...rest }: Changes = {},
): Decision | null {
  return decideReport({
    order: {
      status: "AUTHORIZED",
      status_cause: "psp_authorized",
      currency: "USD",
      amount_minor: 100n,
      captured_minor: captured,
      capturing_minor: capturing,
      ...order,
    },
    attempt: {
      status: "authorized",
      attempt_number: 1,
      inquiry_count: 0,
      amount_minor: 100n,
      capture_method: "manual",
      failure: null,
      attempt_id: "att_1",
      psp_reference: "pi_1",
      page_token: null,
      has_next_action: false,
      failure_code: null,
      authorization_ended_as: null,
      resolved_as: null,
      resolution_reference: null,
      ...attempt,
    },
    operation,
    releases_rest: true,
    can_be_asked: true,
    outcome,
    source: operation === null ? firstSend : answerTo(operation.key_number),
    policies,
    random: 0.5,
    ...rest,
  });
}
