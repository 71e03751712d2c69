import { now } from "../../clock.ts";
import { AppError, type FieldError } from "../../errors.ts";
import { checkoutId, paymentOrderId } from "../../ids.ts";
import { isCurrencyCode, isPaymentCurrency, type Money } from "../../money/money.ts";
import type { CheckoutDraft } from "../../payments/payments.ts";
import { readAmount } from "../amounts.ts";
import type { App, HttpContext } from "../context.ts";
import { idempotencyKeyOf, requestFingerprint, sendAnswer } from "../idempotency-key.ts";
import { AcceptedCheckout, NewCheckout, idempotencyHeaders, problemResponses } from "../schemas.ts";

export function registerPaymentCreateRoute(app: App, context: HttpContext): void {
  app.post("/payments", {
    schema: {
      operationId: "createPayment",
      summary: "Take a checkout: 202 means stored and queued",
      body: NewCheckout,
      headers: idempotencyHeaders,
      response: { 202: AcceptedCheckout, ...problemResponses },
    },
  }, async (request, reply) => {
    const checkout = draftOf(request.body);
    assertReturnUrl(context, checkout);
    assertPageOffered(context, checkout);
    const answer = await context.intake.accept({
      checkout,
      fingerprint: requestFingerprint(request),
      idempotency_key: idempotencyKeyOf(request),
      actor: request.caller.actor,
    });
    return sendAnswer(reply, answer);
  });
}

/** Errors name every order whose amount or currency cannot be used, and ids that stand twice. */
function draftOf(body: NewCheckout): CheckoutDraft {
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  const orders = body.payment_orders.flatMap((order, index) => {
    const param = `payment_orders[${index}]`;
    if (seen.has(order.payment_order_id)) {
      errors.push({ param: `${param}[payment_order_id]`, code: "invalid_request", message: "stands twice in this checkout." });
    }
    seen.add(order.payment_order_id);
    const money = moneyOf(order.amount, order.currency ?? "USD", param, errors);
    return money === undefined ? [] : [{ payment_order_id: paymentOrderId(order.payment_order_id), seller_account: order.seller_account, money }];
  });
  const [first] = errors;
  if (first !== undefined) throw new AppError(first.code, `${first.param} ${first.message}`, { param: first.param, errors });
  return {
    checkout_id: checkoutId(body.checkout_id),
    buyer_info: body.buyer_info,
    seller_info: body.seller_info ?? null,
    way_to_pay: wayToPay(body, orders),
    capture_method: captureMethod(body),
    orders,
  };
}

/** A card token or the PSP's page, and not both; a page is one charge, so its orders have one currency. */
function wayToPay(body: NewCheckout, orders: CheckoutDraft["orders"]): CheckoutDraft["way_to_pay"] {
  const { credit_card_info, hosted_page } = body;
  if (credit_card_info !== undefined && hosted_page === undefined) return { card: credit_card_info };
  if (hosted_page === undefined || credit_card_info !== undefined) {
    throw new AppError("invalid_request", "Send either credit_card_info or hosted_page.", { param: hosted_page === undefined ? "credit_card_info" : "hosted_page" });
  }
  const other = orders.findIndex((order) => order.money.currency !== orders[0]?.money.currency);
  if (other >= 0) {
    throw new AppError("invalid_request", "The orders of a hosted page have one currency.", { param: `payment_orders[${other}][currency]` });
  }
  return { hosted_page };
}

function captureMethod({ capture_method = "automatic", hosted_page }: NewCheckout): CheckoutDraft["capture_method"] {
  if (capture_method === "automatic") return "automatic";
  if (hosted_page !== undefined) throw new AppError("invalid_request", "What is paid on the PSP's page is captured at once.", { param: "capture_method" });
  return "manual";
}

function assertPageOffered({ router }: HttpContext, { way_to_pay, orders: [first, ...others] }: CheckoutDraft): void {
  if ("card" in way_to_pay || first === undefined) return;
  const amount_minor = others.reduce((sum, order) => sum + order.money.amount_minor, first.money.amount_minor);
  const facts = { payment_order_id: first.payment_order_id, money: { amount_minor, currency: first.money.currency }, card_country: null };
  if (router.offersPage(facts)) return;
  throw new AppError("invalid_request", "No PSP that takes this payment has a hosted page.", { param: "hosted_page" });
}

/** A page that sends buyers anywhere would lend the PSP's name to whoever has an API key. */
function assertReturnUrl({ settings }: HttpContext, { way_to_pay }: CheckoutDraft): void {
  if (!("hosted_page" in way_to_pay)) return;
  const text = way_to_pay.hosted_page.return_url;
  const refuse = (message: string): never => {
    throw new AppError("invalid_request", message, { param: "hosted_page[return_url]" });
  };
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isLocal = url !== undefined && ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname);
  const isRight = url !== undefined && (url.protocol === "https:" || (url.protocol === "http:" && isLocal)) && url.username === "" && url.password === "";
  if (!isRight) return refuse("hosted_page.return_url must be an https URL without a user or password.");
  const allowed = settings.return_url_origins;
  if (allowed !== "any" && !allowed.includes(url.origin)) {
    refuse("hosted_page.return_url leads to a site that is not allowed here: the setting RETURN_URL_ORIGINS lists those that are.");
  }
}

function moneyOf(amount: string, currency: string, param: string, errors: FieldError[]): Money | undefined {
  if (!isCurrencyCode(currency) || !isPaymentCurrency(currency, now())) {
    errors.push({ param: `${param}[currency]`, code: "unsupported_currency", message: "is not an ISO 4217 currency in use." });
    return undefined;
  }
  const read = readAmount(amount, currency, `${param}[amount]`);
  if ("money" in read) return read.money;
  errors.push(read.error);
  return undefined;
}
