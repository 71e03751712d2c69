import type { PaymentOrderId } from "../../ids.ts";
import type { AnswerKey } from "../../idempotency/idempotency.ts";
import type { RiskVerdict } from "../../risk/risk.ts";
import type { NewEvent, NewOrder } from "../store/intake-queries.ts";
import { executor_actor, type CheckoutDraft } from "../model/model.ts";
import type { ChargeTask } from "../charges/psp-call.ts";
import type { NewAttempt } from "../store/attempt-queries.ts";
import { firstStatus } from "../views/views.ts";

/** A checkout with what makes its request recognisable when it comes again. */
export type IntakeRequest = {
  readonly checkout: CheckoutDraft;
  readonly fingerprint: Buffer;
  readonly idempotency_key: AnswerKey | null;
  readonly actor: string;
};

export type FirstTask = ChargeTask & { readonly attempt: NewAttempt };
/** A new checkout with its risk decision, and what starts at once or is queued. */
export type Stored = {
  readonly request: IntakeRequest;
  readonly verdict: RiskVerdict;
  readonly tasks: readonly FirstTask[];
  readonly queued: readonly PaymentOrderId[];
  readonly page: NewAttempt | null;
};
const firstCause = { pass: "accepted", review: "risk_review", reject: "risk_rejected" } as const;

/** The name of the one rule today: a rate that is the same for every order. */
const commission_rule = "default";

/** The rows of a new checkout. Its orders keep the rate of the commission, whoever records their captures. */
export function rowsOf(
  { request, verdict, tasks, page }: Stored,
  commission_basis_points: bigint,
): { event: NewEvent; orders: NewOrder[] } {
  const { checkout, actor } = request;
  const rejected = verdict.decision === "reject";
  const attempts = new Map(tasks.map((task) => [task.payment_order_id, task.attempt.attempt_id]));
  return {
    event: {
      checkout_id: checkout.checkout_id,
      buyer_info: checkout.buyer_info,
      seller_info: checkout.seller_info,
      credit_card_info: "card" in checkout.payment_method ? checkout.payment_method.card : null,
      hosted_page: "hosted_page" in checkout.payment_method ? checkout.payment_method.hosted_page : null,
      external: "external" in checkout.payment_method ? checkout.payment_method.external : null,
      unfinished_order_count: checkout.orders.length,
      request_fingerprint: request.fingerprint.toString("hex"),
      risk_decision: verdict.decision,
      risk_reasons: verdict.reasons,
    },
    orders: checkout.orders.map((order, position) => {
      const attempt_id = page?.attempt_id ?? attempts.get(order.payment_order_id);
      return {
        payment_order_id: order.payment_order_id,
        checkout_id: checkout.checkout_id,
        position,
        buyer_account: checkout.buyer_info.user_id,
        seller_account: order.seller_account,
        amount_minor: String(order.money.amount_minor),
        currency: order.money.currency,
        capture_method: checkout.capture_method,
        commission_rule,
        commission_basis_points: String(commission_basis_points),
        created_by: actor,
        ...(attempt_id === undefined
          ? {
              status: firstStatus[verdict.decision],
              status_cause: firstCause[verdict.decision],
              status_actor: actor,
              attempt_id: null,
            }
          : {
              status: "EXECUTING",
              status_cause: "execution_started",
              status_actor: executor_actor,
              attempt_id,
            }),
        error_code: rejected ? "risk_rejected" : null,
        error_message: rejected ? verdict.reasons.join("; ").slice(0, 500) : null,
      };
    }),
  };
}

export function missing(): never {
  throw new Error("a checkout without a risk verdict");
}
