import { createHmac } from "node:crypto";
import { now } from "../src/clock.ts";
import { formatAmount, toCurrencyCode } from "../src/money/money.ts";
import { sendUntilDecided, waitForOrder, type ClientContext } from "./client.ts";
import type { Request } from "./journal.ts";
import { external_account, type PlannedCheckout } from "./plan.ts";
import type { StatusForgery } from "./schedule.ts";
import { forged_status_prefix, type Target } from "./webhooks.ts";

export type StatusContext = ClientContext & { readonly status_secret: string };

type Status = {
  readonly payment_order_id: string;
  readonly attempt_id?: string;
  readonly status: "success" | "failed";
  readonly amount: string;
  readonly currency: string;
  readonly reference: string;
};

/** The collector's reference for the payment of an order. */
export const referenceOf = (order: { readonly payment_order_id: string }): string =>
  `receipt-${order.payment_order_id}`;

/**
 * The collector of a checkout's money: reports each order as the plan says. A status that is resent has the
 * same id.
 */
export async function collectMoney(context: StatusContext, checkout: PlannedCheckout): Promise<void> {
  const { external } = checkout.habits;
  if (external === null || external === "none") return;
  await Promise.all(
    checkout.orders.map(async (order) => {
      await waitForOrder(context, order, "PENDING");
      const { payment_order_id, money } = order;
      const status = {
        payment_order_id,
        status: external,
        amount: formatAmount(money),
        currency: money.currency,
        reference: referenceOf(order),
      };
      await sendStatus(context, "external_status", `msg_${payment_order_id}`, status, context.status_secret);
    }),
  );
}

/**
 * Sends statuses that are false or not the account's to send. Those signed with the right secret are stored
 * as rejected.
 */
export async function sendStatusForgery(
  context: StatusContext,
  forgery: StatusForgery,
  target: Target,
  number: number,
): Promise<void> {
  const id = `${forged_status_prefix}${forgery}_${number}`;
  const { payment_order_id, attempt_id, amount_minor, currency } = target;
  const amountOf = (minor: bigint): string =>
    formatAmount({ amount_minor: minor, currency: toCurrencyCode(currency) });
  const lie = {
    payment_order_id,
    attempt_id,
    status: "success" as const,
    amount: amountOf(amount_minor),
    currency,
    reference: id,
  };
  switch (forgery) {
    case "other_secret":
      return sendStatus(context, "forged_webhook", id, lie, Buffer.alloc(24, 1).toString("base64"));
    case "other_account":
      return sendStatus(context, "rejected_status", id, lie, context.status_secret);
    case "false_failed":
      return sendStatus(context, "rejected_status", id, { ...lie, status: "failed" }, context.status_secret);
    case "wrong_amount":
      return sendStatus(
        context,
        "rejected_status",
        id,
        { ...lie, amount: amountOf(amount_minor + 1n) },
        context.status_secret,
      );
  }
}

/** Signed as Standard Webhooks says. */
async function sendStatus(
  context: StatusContext,
  request: Request,
  id: string,
  status: Status,
  secret: string,
): Promise<void> {
  const body = JSON.stringify({ psp: external_account, ...status });
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  await sendUntilDecided(context, request, `${id} about ${status.payment_order_id}`, () => {
    const at = Math.floor(now().getTime() / 1_000);
    const signature = createHmac("sha256", key).update(`${id}.${at}.${body}`).digest("base64");
    return context.http.webhook("payment-status", body, {
      "webhook-id": id,
      "webhook-timestamp": String(at),
      "webhook-signature": `v1,${signature}`,
    });
  });
}
