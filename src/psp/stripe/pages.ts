import Stripe from "stripe";
import { isCurrencyCode } from "../../money/money.ts";
import type { PageOutcome, PspOutcome } from "../port-outcomes.ts";
import type { PageRequest } from "../port.ts";
import { withReferences } from "../references.ts";
import { fromStripeAmount, toStripeAmount } from "./amounts.ts";
import { outcomeOfError } from "./outcomes.ts";
import { referencesOfSession } from "./references.ts";

/** Marks a charge made on a page, where a declined card is not the end: the buyer may use another one. */
export const page_mark = { page: "1" } as const;

/**
 * Opens a Checkout Session (https://docs.stripe.com/api/checkout/sessions): one charge, a line for each
 * order.
 */
export async function registerPage(stripe: Stripe, request: PageRequest): Promise<PageOutcome> {
  const lines: Stripe.Checkout.SessionCreateParams.LineItem[] = [];
  for (const line of request.lines) {
    const converted = toStripeAmount(line.money);
    if (!converted.ok)
      return {
        kind: "not_sent",
        failure: { class: "invalid_request", code: "amount_not_supported", message: converted.reason },
        no_call_made: true,
      };
    const currency = line.money.currency.toLowerCase();
    lines.push({
      quantity: 1,
      price_data: {
        currency,
        unit_amount: converted.amount,
        product_data: { name: `Order ${line.payment_order_id}` },
      },
    });
  }
  const { attempt_id, checkout_id } = request;
  const metadata = { attempt_id, ...(checkout_id.length <= 500 ? { checkout_id } : {}) };
  try {
    const session = await stripe.checkout.sessions.create(
      {
        mode: "payment",
        line_items: lines,
        allowed_payment_method_types: ["card"],
        client_reference_id: attempt_id,
        metadata,
        payment_intent_data: { metadata: { ...metadata, ...page_mark } },
        expires_at: Math.floor(request.expires_at.getTime() / 1_000),
        success_url: returnUrl(request, "success"),
        cancel_url: returnUrl(request, "canceled"),
      },
      { idempotencyKey: request.psp_key },
    );
    if (session.url === null) return { kind: "unknown", reason: "Stripe returned no URL for the page." };
    return {
      kind: "registered",
      page_token: session.id,
      url: session.url,
      expires_at: new Date(session.expires_at * 1_000),
      references: referencesOfSession(session),
    };
  } catch (error) {
    const outcome = outcomeOfError(error);
    return outcome.kind === "not_sent" || outcome.kind === "unknown"
      ? outcome
      : { kind: "unknown", reason: "Stripe answered a page registration with a charge's outcome." };
  }
}

/**
 * The parameters of the redirect are for the shop's page to show something at once; nothing here ever reads
 * them.
 */
function returnUrl({ return_url, checkout_id }: PageRequest, result: "success" | "canceled"): string {
  const [address = "", fragment] = return_url.split("#", 2);
  // Stripe replaces the word in braces with the session's id; it must not be encoded.
  const token = result === "success" ? "{CHECKOUT_SESSION_ID}" : "";
  const query = `checkout_id=${encodeURIComponent(checkout_id)}&token=${token}&result=${result}`;
  const separator = address.includes("?") ? "&" : "?";
  const end = fragment === undefined ? "" : `#${fragment}`;
  return `${address}${separator}${query}${end}`;
}

/** The outcome of a page. */
export async function inquirePage(stripe: Stripe, page_token: string): Promise<PspOutcome> {
  try {
    return outcomeOfSession(await stripe.checkout.sessions.retrieve(page_token));
  } catch (error) {
    return nothingLearned(error);
  }
}

/** Ends a page; one that was paid in between stays paid. */
export async function closePage(stripe: Stripe, page_token: string): Promise<PspOutcome> {
  try {
    await stripe.checkout.sessions.expire(page_token);
    return { kind: "canceled", psp_reference: null, reason: "canceled" };
  } catch (error) {
    // Only an open session can be expired: ask what it is.
    return error instanceof Stripe.errors.StripeInvalidRequestError
      ? inquirePage(stripe, page_token)
      : nothingLearned(error);
  }
}

function nothingLearned(error: unknown): PspOutcome {
  const outcome = outcomeOfError(error);
  return outcome.kind === "unknown"
    ? outcome
    : { kind: "unknown", reason: "Stripe did not report the state of the page." };
}

/** The outcome of a session's charge. */
export const outcomeOfSession = (session: Stripe.Checkout.Session): PspOutcome =>
  withReferences(stateOfSession(session), referencesOfSession(session));

function stateOfSession(session: Stripe.Checkout.Session): PspOutcome {
  if (session.status === "expired") return { kind: "canceled", psp_reference: null, reason: "expired" };
  if (session.status !== "complete" || session.payment_status !== "paid") {
    return { kind: "pending", psp_reference: session.id, next_action: null };
  }
  const currency = (session.currency ?? "").toUpperCase();
  const charged =
    session.amount_total !== null && isCurrencyCode(currency)
      ? fromStripeAmount(session.amount_total, currency)
      : undefined;
  if (charged === undefined) {
    const reported = `a page of ${session.amount_total} ${currency}`;
    return { kind: "unknown", reason: `Stripe reports ${reported}, which cannot be read as an amount.` };
  }
  const intent = session.payment_intent;
  return {
    kind: "succeeded",
    psp_reference: typeof intent === "string" ? intent : (intent?.id ?? session.id),
    charged,
  };
}
