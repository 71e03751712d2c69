import { monotonicMilliseconds } from "../clock.ts";
import type { Job } from "../jobs/jobs.ts";
import { toCurrencyCode, type Money } from "../money/money.ts";
import type { CaptureMethod, ChargeRequest, Inquiry, PageRequest, PspOutcome, PspRouter } from "../psp/psp.ts";
import type { AttemptRow } from "./model.ts";
import type { AttemptOutcome } from "./decision.ts";

/** What the buyer pays with: a card token, or the PSP's page that shows these lines. */
export type WayToPay = { readonly card_token: string; readonly capture_method: CaptureMethod } | Pick<PageRequest, "lines" | "return_url" | "expires_at">;

/** An attempt to bring forward: a first charge or registration, or one whose outcome must be asked for. */
export type Task = {
  /** Null: every order of the attempt's checkout. */
  readonly payment_order_id: string | null;
  readonly attempt: Pick<
    AttemptRow,
    "attempt_id" | "checkout_id" | "payment_order_id" | "psp" | "psp_key" | "psp_reference" | "page_token" | "amount_minor" | "currency"
  >;
  readonly opened_at: Date;
  readonly way_to_pay: WayToPay;
  readonly is_first_send: boolean;
  /** The job that woke it; null when it was started by its acceptance and never queued. */
  readonly job: Job<"payment_execute"> | null;
};

/** Calls the PSP and tells how long it took. */
export async function callPsp(router: PspRouter, task: Task): Promise<{ outcome: AttemptOutcome; psp_call_ms: number }> {
  const start = monotonicMilliseconds();
  const { way_to_pay } = task;
  const outcome = "card_token" in way_to_pay
    ? await charge(router, task, way_to_pay)
    : await bringPageForward(router, task, way_to_pay);
  return { outcome, psp_call_ms: monotonicMilliseconds() - start };
}

/**
 * A first send charges. Anything else asks first: by then the charge may have happened. Only when the
 * PSP knows nothing of it is the same request sent again, under the same key, so that it cannot double.
 */
async function charge(router: PspRouter, task: Task, card: Extract<WayToPay, { card_token: string }>): Promise<PspOutcome> {
  const { attempt } = task;
  if (!task.is_first_send) {
    const found = await router.inquire(attempt.psp, inquiryOf(attempt));
    if (found.kind !== "not_found") return found;
  }
  return router.charge(attempt.psp, chargeRequest(task, card));
}

/** A page is registered until its token is known, always under the same key; after that it is asked about. */
async function bringPageForward(
  router: PspRouter, { attempt }: Task, page: Pick<PageRequest, "lines" | "return_url" | "expires_at">,
): Promise<AttemptOutcome> {
  const { attempt_id, psp_key, checkout_id } = attempt;
  if (attempt.page_token === null) return router.registerPage(attempt.psp, { attempt_id, psp_key, checkout_id, money: moneyOf(attempt), ...page });
  const found = await router.inquire(attempt.psp, inquiryOf(attempt));
  return found.kind === "not_found" ? { kind: "unknown", reason: "The PSP does not know its own page." } : found;
}

function inquiryOf(attempt: Task["attempt"]): Inquiry {
  const { attempt_id, psp_key, psp_reference, page_token } = attempt;
  return { attempt_id, psp_key, psp_reference, page_token, money: moneyOf(attempt) };
}

function chargeRequest({ attempt, opened_at }: Task, card: Extract<WayToPay, { card_token: string }>): ChargeRequest {
  const { attempt_id, psp_key, checkout_id, payment_order_id } = attempt;
  return { attempt_id, psp_key, checkout_id, payment_order_id, money: moneyOf(attempt), opened_at, ...card };
}

const moneyOf = ({ amount_minor, currency }: Task["attempt"]): Money => ({ amount_minor, currency: toCurrencyCode(currency) });
