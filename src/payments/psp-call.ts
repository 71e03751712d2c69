import { toCurrencyCode, type Money } from "../money/money.ts";
import type { ChargeRequest, Inquiry, PspOutcome, PspRouter } from "../psp/psp.ts";
import type { Job } from "../jobs/jobs.ts";
import type { AttemptRow } from "./model.ts";

/** An attempt to bring forward: a first charge, or one whose outcome must be asked for. */
export type Task = {
  readonly payment_order_id: string;
  readonly attempt: Pick<AttemptRow, "attempt_id" | "checkout_id" | "payment_order_id" | "psp" | "psp_key" | "psp_reference" | "amount_minor" | "currency">;
  readonly opened_at: Date;
  readonly card_token: string;
  readonly is_first_send: boolean;
  /** The job that woke it; null when it was started by its acceptance and never queued. */
  readonly job: Job<"payment_execute"> | null;
};

/**
 * A first send charges. Anything else asks first: by then the charge may have happened. Only when the
 * PSP knows nothing of it is the same request sent again, under the same key, so that it cannot double.
 */
export async function callPsp(router: PspRouter, task: Task): Promise<PspOutcome> {
  const { attempt } = task;
  if (!task.is_first_send) {
    const found = await router.inquire(attempt.psp, inquiryOf(attempt));
    if (found.kind !== "not_found") return found;
  }
  return router.charge(attempt.psp, chargeRequest(task));
}

function inquiryOf(attempt: Task["attempt"]): Inquiry {
  const { attempt_id, psp_key, psp_reference } = attempt;
  return { attempt_id, psp_key, psp_reference, page_token: null, money: moneyOf(attempt) };
}

function chargeRequest({ attempt, card_token, opened_at }: Task): ChargeRequest {
  const { attempt_id, psp_key, checkout_id, payment_order_id } = attempt;
  return { attempt_id, psp_key, checkout_id, payment_order_id, money: moneyOf(attempt), opened_at, card_token };
}

const moneyOf = ({ amount_minor, currency }: Task["attempt"]): Money => ({ amount_minor, currency: toCurrencyCode(currency) });
