import { monotonicMilliseconds } from "../../clock.ts";
import type { Job } from "../../jobs/jobs.ts";
import { toCurrencyCode, type Money } from "../../money/money.ts";
import type { ChargeRequest, Inquiry, PageRequest, PspOutcome, PspRouter, Turn } from "../../psp/psp.ts";
import { missingAccount, type AttemptRow } from "../model/model.ts";
import type { AttemptOutcome } from "../decide/decision.ts";

/** `return_url`: where the buyer comes back to after a step at the bank. */
export type CardPayment = Pick<ChargeRequest, "card_token" | "capture_method" | "return_url">;
type PagePayment = Pick<PageRequest, "lines" | "return_url" | "expires_at">;
/**
 * What the buyer pays with: a card token, the PSP's page that shows these lines, or money that is collected
 * elsewhere.
 */
export type PaymentMethod = CardPayment | PagePayment | "external";

/** An attempt to bring forward: a first charge or registration, or one whose outcome must be asked for. */
export type ChargeTask = {
  /** Null: every order of the attempt's checkout. */
  readonly payment_order_id: string | null;
  readonly attempt: Pick<
    AttemptRow,
    | "attempt_id"
    | "checkout_id"
    | "payment_order_id"
    | "psp"
    | "psp_key"
    | "psp_reference"
    | "page_token"
    | "amount_minor"
    | "currency"
  >;
  readonly payment_method: PaymentMethod;
  readonly turn: Turn;
  /** The attempt's epoch when this process took it up. */
  readonly epoch: number;
  /** The buyer may have paid already: a page that is not registered yet is not opened. */
  readonly has_discrepancy: boolean;
  /** When its requests were sent; given in a turn that asks for proof. */
  readonly sent_between?: NonNullable<Inquiry["sent_between"]>;
  /** The job that woke it; null when it was started by its acceptance and never queued. */
  readonly job: Job<"payment_execute"> | null;
};

/**
 * Calls the PSP and measures the time. An attempt whose account is no longer configured is unknown: it was
 * opened while the account was configured, so it may have been charged.
 */
export async function callPsp(
  router: PspRouter,
  task: ChargeTask,
): Promise<{ outcome: AttemptOutcome; psp_call_ms: number }> {
  const start = monotonicMilliseconds();
  const { payment_method, attempt } = task;
  if (!router.has(attempt.psp)) {
    return {
      outcome: {
        kind: "unknown",
        reason: missingAccount(attempt.psp),
        no_call_made: true,
        needs_person: true,
      },
      psp_call_ms: 0,
    };
  }
  const outcome = await bringForward(router, task, payment_method);
  return { outcome, psp_call_ms: monotonicMilliseconds() - start };
}

async function bringForward(
  router: PspRouter,
  task: ChargeTask,
  payment_method: PaymentMethod,
): Promise<AttemptOutcome> {
  if (payment_method === "external") return waitForReport(router, task);
  return "card_token" in payment_method
    ? charge(router, task, payment_method)
    : bringPageForward(router, task, payment_method);
}

/** Sends nothing: the adapter reports that the attempt waits for its collector. */
async function waitForReport(router: PspRouter, { attempt }: ChargeTask): Promise<PspOutcome> {
  const waiting = await router.inquire(attempt.psp, inquiryOf(attempt));
  if (waiting.kind !== "not_found" && waiting.kind !== "absent") return waiting;
  return { kind: "pending", psp_reference: attempt.psp_reference, next_action: null };
}

/**
 * A first send charges. Every other turn asks first, because the charge may have happened. If the PSP knows
 * nothing of it, the request is sent again under the same key as long as the PSP remembers that key, so that
 * it cannot charge twice.
 */
async function charge(router: PspRouter, task: ChargeTask, card: CardPayment): Promise<PspOutcome> {
  const { attempt } = task;
  if (task.turn !== "first_send") {
    const { sent_between } = task;
    const inquiry = { ...inquiryOf(attempt), ...(sent_between === undefined ? {} : { sent_between }) };
    const found = await router.inquire(attempt.psp, inquiry);
    if (found.kind === "absent") return neverMade;
    if (found.kind !== "not_found") return found;
    if (task.turn !== "ask_then_send") {
      return {
        kind: "unknown",
        reason: "The PSP does not show the charge and may still carry it out.",
        no_call_made: true,
      };
    }
  }
  return router.charge(attempt.psp, chargeRequest(task, card));
}

/** The PSP answered with a server error and has not carried the request out since. */
const neverMade: PspOutcome = {
  kind: "declined",
  psp_reference: null,
  failure: { class: "transient_decline", code: "psp_error", message: "The PSP failed and charged nothing." },
};

/**
 * A page is registered until its token is known, always under the same key; after that the PSP is asked about
 * it. A registration charges nothing, and a page expires before the PSP forgets the key.
 */
async function bringPageForward(
  router: PspRouter,
  { attempt, has_discrepancy }: ChargeTask,
  page: PagePayment,
): Promise<AttemptOutcome> {
  const { attempt_id, psp_key, checkout_id } = attempt;
  if (attempt.page_token === null && has_discrepancy) {
    return {
      kind: "unknown",
      reason: "A dead letter says that the PSP may have taken the money already.",
      no_call_made: true,
    };
  }
  if (attempt.page_token === null)
    return router.registerPage(attempt.psp, {
      attempt_id,
      psp_key,
      checkout_id,
      money: moneyOf(attempt),
      ...page,
    });
  const found = await router.inquire(attempt.psp, inquiryOf(attempt));
  return found.kind === "not_found" || found.kind === "absent"
    ? { kind: "unknown", reason: "The PSP does not know its own page." }
    : found;
}

function inquiryOf(attempt: ChargeTask["attempt"]): Inquiry {
  const { attempt_id, psp_key, psp_reference, page_token } = attempt;
  return { attempt_id, psp_key, psp_reference, page_token, money: moneyOf(attempt) };
}

function chargeRequest({ attempt }: ChargeTask, card: CardPayment): ChargeRequest {
  const { attempt_id, psp_key, checkout_id, payment_order_id } = attempt;
  return { attempt_id, psp_key, checkout_id, payment_order_id, money: moneyOf(attempt), ...card };
}

const moneyOf = ({ amount_minor, currency }: ChargeTask["attempt"]): Money => ({
  amount_minor,
  currency: toCurrencyCode(currency),
});
