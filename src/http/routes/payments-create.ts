import { Type } from "typebox";
import { AppError, type FieldError } from "../../errors.ts";
import { checkoutId, paymentOrderId, type CheckoutId } from "../../ids.ts";
import { isCurrencyCode, isPaymentCurrency, type Money } from "../../money/money.ts";
import {
  acceptedView,
  createNextActionSealing,
  selectCheckout,
  selectNextAction,
  selectOrdersOfCheckouts,
  type AcceptedCheckout,
  type CheckoutDraft,
} from "../../payments/payments.ts";
import type { Sealing } from "../../sealing.ts";
import { readAmount } from "../amounts.ts";
import type { App, HttpContext } from "../context.ts";
import { idempotencyKeyOf, requestFingerprint, sendAnswer } from "../idempotency-key.ts";
import { PreferredWaits, waitSecondsOf } from "../prefer-wait.ts";
import { withCheckedReturnUrl } from "../return-url.ts";
import { statusUrl } from "../status-link.ts";
import { AcceptedCheckout as AcceptedCheckoutSchema, NewCheckout } from "../schemas/checkout.ts";
import { idempotencyHeaders } from "../schemas/idempotency-headers.ts";
import { problemResponses } from "../schemas/problem.ts";

export function registerPaymentCreateRoute(app: App, context: HttpContext): void {
  const sealing = createNextActionSealing(context.settings.secret_key);
  const waits = new PreferredWaits();
  app.post(
    "/payments",
    {
      config: { scope: "write" },
      schema: {
        operationId: "createPayment",
        summary: "Create a checkout: 202 means stored and queued",
        body: NewCheckout,
        headers: Type.Object({
          ...idempotencyHeaders.properties,
          prefer: Type.Optional(
            Type.String({
              description:
                "wait=5: wait for the PSP's outcome, up to 5 seconds (10 at most), and answer with the " +
                "states and the next_action at that time. The charge goes on whether you wait or not.",
            }),
          ),
        }),
        response: { 202: AcceptedCheckoutSchema, ...problemResponses },
      },
    },
    async (request, reply) => {
      const checkout = withCheckedReturnUrl(
        draftOf(request.body, context.clock.now()),
        context.settings.return_url_origins,
      );
      assertAccountTakesIt(context, checkout);
      assertAmountsTaken(context, checkout);
      const answer = await context.intake.accept({
        checkout,
        fingerprint: requestFingerprint(request),
        idempotency_key: idempotencyKeyOf(request),
        actor: request.caller.actor,
      });
      const wait_seconds = "card" in checkout.payment_method ? waitSecondsOf(request) : 0;
      const outcome = await waits
        .until(wait_seconds, () => outcomeOf(context, checkout.checkout_id, sealing))
        .catch((error: unknown) => {
          // The checkout is stored: if reads are refused just now, the first answer is still true.
          if (error instanceof AppError) return undefined;
          throw error;
        });
      if (outcome === undefined) return sendAnswer(reply, answer);
      return sendAnswer(reply.header("preference-applied", `wait=${wait_seconds}`), {
        ...answer,
        body: JSON.stringify(outcome),
      });
    },
  );
}

/** A checkout as it is now, in the form of the first answer. */
async function outcomeOf(
  { reads, clock, settings }: HttpContext,
  id: CheckoutId,
  sealing: Sealing,
): Promise<{ is_done: boolean; result: AcceptedCheckout }> {
  const [event, orders, next_action] = await reads.snapshot((snapshot) =>
    Promise.all([
      selectCheckout(snapshot, id),
      selectOrdersOfCheckouts(snapshot, [id]),
      selectNextAction(snapshot, id, sealing, clock.now()),
    ]),
  );
  if (event === undefined) throw new Error(`the checkout ${id} was accepted but is missing`);
  const isDone = orders.every(({ status }) => status !== "NOT_STARTED" && status !== "EXECUTING");
  const accepted = acceptedView(event, orders);
  return {
    is_done: isDone,
    result: {
      ...accepted,
      payment_event_status: event.is_payment_done ? "COMPLETE" : "PROCESSING",
      payment_orders: accepted.payment_orders.map((view, index) => ({
        ...view,
        status: orders[index]?.status ?? view.status,
      })),
      status_url: statusUrl(settings, event),
      next_action,
    },
  };
}

/** Errors name every order whose amount or currency cannot be used at `at`, and duplicate ids. */
function draftOf(body: NewCheckout, at: Date): CheckoutDraft {
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  const orders = body.payment_orders.flatMap((order, index) => {
    const param = `payment_orders[${index}]`;
    if (seen.has(order.payment_order_id)) {
      errors.push({
        param: `${param}[payment_order_id]`,
        code: "invalid_request",
        message: "occurs twice in this checkout.",
      });
    }
    seen.add(order.payment_order_id);
    const { seller_account, amount, currency = "USD" } = order;
    const money = moneyOf({ amount, currency }, at, param, errors);
    if (money === undefined) return [];
    return [{ payment_order_id: paymentOrderId(order.payment_order_id), seller_account, money }];
  });
  const [first] = errors;
  if (first !== undefined)
    throw new AppError(first.code, `${first.param} ${first.message}`, { param: first.param, errors });
  return {
    checkout_id: checkoutId(body.checkout_id),
    buyer_info: body.buyer_info,
    seller_info: body.seller_info ?? null,
    payment_method: wayToPay(body, orders),
    capture_method: captureMethod(body),
    orders,
  };
}

/** Exactly one way to pay. A page is one charge, so its orders have one currency. */
function wayToPay(body: NewCheckout, orders: CheckoutDraft["orders"]): CheckoutDraft["payment_method"] {
  const { credit_card_info, hosted_page, external } = body;
  const [, second] = Object.entries({ credit_card_info, hosted_page, external }).flatMap(([name, way]) =>
    way === undefined ? [] : [name],
  );
  if (second !== undefined) throw notOneWay(second);
  if (credit_card_info !== undefined) return { card: credit_card_info };
  if (external !== undefined) return { external };
  if (hosted_page === undefined) throw notOneWay("credit_card_info");
  const other = orders.findIndex((order) => order.money.currency !== orders[0]?.money.currency);
  if (other >= 0) {
    throw new AppError("invalid_request", "All orders of a hosted page must have the same currency.", {
      param: `payment_orders[${other}][currency]`,
    });
  }
  return { hosted_page };
}

const notOneWay = (param: string): AppError =>
  new AppError("invalid_request", "Send exactly one of credit_card_info, hosted_page and external.", {
    param,
  });

function captureMethod({
  capture_method = "automatic",
  credit_card_info,
}: NewCheckout): CheckoutDraft["capture_method"] {
  if (capture_method === "automatic") return "automatic";
  if (credit_card_info === undefined)
    throw new AppError(
      "invalid_request",
      "capture_method manual needs credit_card_info: only a payment by card token can be captured later.",
      { param: "capture_method" },
    );
  return "manual";
}

/** Whether there is a PSP account for this way to pay. */
function assertAccountTakesIt(
  { router }: HttpContext,
  { payment_method, orders: [first, ...others] }: CheckoutDraft,
): void {
  if ("card" in payment_method || first === undefined) return;
  if ("external" in payment_method) {
    if (router.isExternal(payment_method.external.psp)) return;
    throw new AppError("invalid_request", "external.psp must name an external account that is configured.", {
      param: "external[psp]",
    });
  }
  const amount_minor = others.reduce(
    (sum, order) => sum + order.money.amount_minor,
    first.money.amount_minor,
  );
  const facts = {
    payment_order_id: first.payment_order_id,
    money: { amount_minor, currency: first.money.currency },
    card_country: null,
  };
  if (router.offersPage(facts)) return;
  throw new AppError("invalid_request", "No PSP that takes this payment has a hosted page.", {
    param: "hosted_page",
  });
}

/**
 * Refuses an amount that no PSP can take exactly, which would otherwise be accepted and fail a moment later.
 */
function assertAmountsTaken({ router }: HttpContext, { payment_method, orders }: CheckoutDraft): void {
  if ("external" in payment_method) return;
  const needs_page = "hosted_page" in payment_method;
  const card_country = needs_page ? null : (payment_method.card.country ?? null);
  const [first] = orders;
  if (first === undefined) return;
  const total = {
    ...first.money,
    amount_minor: orders.reduce((sum, { money }) => sum + money.amount_minor, 0n),
  };
  const refuseWith = (reason: string | null, param: string): void => {
    if (reason !== null)
      throw new AppError("amount_not_supported", `No PSP account can take this amount: ${reason}`, { param });
  };
  orders.forEach(({ payment_order_id, money }, index) => {
    const facts = { payment_order_id, money: needs_page ? total : money, card_country };
    refuseWith(router.refusalOfAmounts(facts, [money], { needs_page }), `payment_orders[${index}][amount]`);
  });
  // A page is one charge of all its lines, by one PSP.
  const facts = { payment_order_id: first.payment_order_id, money: total, card_country };
  const lines = orders.map(({ money }) => money);
  if (needs_page)
    refuseWith(router.refusalOfAmounts(facts, [...lines, total], { needs_page }), "payment_orders");
}

function moneyOf(
  { amount, currency }: { readonly amount: string; readonly currency: string },
  at: Date,
  param: string,
  errors: FieldError[],
): Money | undefined {
  if (!isCurrencyCode(currency) || !isPaymentCurrency(currency, at)) {
    errors.push({
      param: `${param}[currency]`,
      code: "unsupported_currency",
      message: "is not an ISO 4217 currency in use.",
    });
    return undefined;
  }
  const read = readAmount(amount, currency, `${param}[amount]`);
  if ("money" in read) return read.money;
  errors.push(read.error);
  return undefined;
}
