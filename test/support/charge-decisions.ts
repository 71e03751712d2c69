import fc from "fast-check";
import { toCurrencyCode } from "../../src/money/money.ts";
import type { Decision, DecisionInput } from "../../src/payments/decide/decision.ts";
import { retryPolicies } from "../../src/payments/model/retry-policies.ts";
import { decideReport } from "../../src/payments/decide/state-machine.ts";
import type { Failure, FailureClass, PspOutcome } from "../../src/psp/psp.ts";

export const usd = toCurrencyCode("USD");
export const policies = retryPolicies({ attempts_max: 5, backoff_base: 2 });
export const failureClasses: readonly FailureClass[] = [
  "hard_decline",
  "transient_decline",
  "rate_limited",
  "unreachable",
  "invalid_request",
];

export const charged = (amount_minor: bigint, currency = usd): PspOutcome => ({
  kind: "succeeded",
  psp_reference: "pi_1",
  charged: { amount_minor, currency },
});
export const failure = (failureClass: FailureClass, changes: Partial<Failure> = {}): Failure => ({
  class: failureClass,
  code: "a_code",
  message: "A message.",
  ...changes,
});
export const declined = (failureClass: FailureClass): PspOutcome => ({
  kind: "declined",
  psp_reference: "pi_1",
  failure: failure(failureClass),
});
export const notSent = (failureClass: FailureClass, changes: Partial<Failure> = {}): PspOutcome => ({
  kind: "not_sent",
  failure: failure(failureClass, changes),
});
export const pending: PspOutcome = { kind: "pending", psp_reference: "pi_1", next_action: null };
export const unknown: PspOutcome = { kind: "unknown", reason: "No answer." };

export const firstSend: DecisionInput["source"] = { kind: "charge", is_first_send: true };
export const inquiry: DecisionInput["source"] = { kind: "inquiry" };
export const webhook: DecisionInput["source"] = { kind: "webhook" };

type Changes = {
  order?: Partial<DecisionInput["order"]>;
  attempt?: Partial<DecisionInput["attempt"]>;
} & Partial<Pick<DecisionInput, "source" | "can_be_asked" | "random">>;

/** A report about a charge of 29.99 that is under way. */
export function decideOn(outcome: PspOutcome, { order, attempt, ...rest }: Changes = {}): Decision | null {
  return decideReport({
    order: {
      status: "EXECUTING",
      status_cause: "execution_started",
      currency: "USD",
      amount_minor: 2_999n,
      captured_minor: 0n,
      capturing_minor: 0n,
      ...order,
    },
    attempt: {
      status: "executing",
      attempt_number: 1,
      inquiry_count: 0,
      amount_minor: 2_999n,
      capture_method: "automatic",
      failure: null,
      attempt_id: "att_1",
      psp_reference: null,
      page_token: null,
      has_next_action: false,
      failure_code: null,
      authorization_ended_as: null,
      resolved_as: null,
      resolution_reference: null,
      ...attempt,
    },
    operation: null,
    releases_rest: true,
    can_be_asked: true,
    outcome,
    source: firstSend,
    policies,
    random: 0.5,
    ...rest,
  });
}

export const outcomes: fc.Arbitrary<PspOutcome> = fc.oneof(
  fc.constantFrom(charged(2_999n), charged(2_998n), charged(2_999n, toCurrencyCode("EUR")), pending, unknown),
  fc
    .record({ kind: fc.constantFrom(declined, notSent), failureClass: fc.constantFrom(...failureClasses) })
    .map(({ kind, failureClass }) => kind(failureClass)),
);
export const circumstances = fc.record({
  source: fc.constantFrom<DecisionInput["source"]>(firstSend, inquiry),
  random: fc.double({ min: 0, max: 1, noNaN: true }),
  attempt_number: fc.integer({ min: 1, max: 8 }),
  inquiry_count: fc.nat(12),
});
