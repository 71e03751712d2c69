import { setTimeout as sleep } from "node:timers/promises";
import { captureOrder } from "./captures.ts";
import { sendUntilDecided, waitForOrder, type ClientContext } from "./client.ts";
import type { Answer } from "./http-client.ts";
import type { Request } from "./journal.ts";
import { visitPage } from "./page-visit.ts";
import { bodyOf, type PlannedCheckout, type PlannedOrder } from "./plan.ts";
import { collectMoney, type StatusContext } from "./statuses.ts";

const clients_at_once = 8;

/** Clients that work the plan off side by side, in its order; `onStep` is called before each checkout. */
export async function runClients(
  context: StatusContext,
  plan: readonly PlannedCheckout[],
  onStep: (step: number) => Promise<void>,
): Promise<void> {
  const left = plan.values();
  await Promise.all(
    Array.from({ length: clients_at_once }, async () => {
      for (const checkout of left) {
        await sleep(checkout.habits.pause_ms, undefined, { signal: context.signal });
        await onStep(checkout.step);
        await shop(context, checkout, plan);
      }
    }),
  );
}

async function shop(
  context: StatusContext,
  checkout: PlannedCheckout,
  plan: readonly PlannedCheckout[],
): Promise<void> {
  const { copies, patience_ms } = checkout.habits;
  await Promise.all(
    Array.from({ length: copies }, (_, copy) =>
      postCheckout(context, checkout, copy === 0 ? patience_ms : null),
    ),
  );
  await abuse(context, checkout, plan);
  if (checkout.habits.cancels) await cancel(context, checkout);
  if (checkout.habits.captures !== null)
    await Promise.all(checkout.orders.map((order) => captureOrder(context, order, checkout.habits.captures)));
  await meetBuyer(context, checkout);
}

/** What follows the acceptance at the PSP: a page, an authentication, or another try by hand. */
async function meetBuyer(context: StatusContext, checkout: PlannedCheckout): Promise<void> {
  const { page, cancels, external } = checkout.habits;
  if (external !== null) return collectMoney(context, checkout);
  // Who cancels a page does so while its buyer is there.
  if (page !== null) return cancels ? undefined : visitPage(context, checkout, page);
  if (checkout.card.ending === "waits_for_buyer")
    await Promise.all(checkout.orders.map((order) => actAsBuyer(context, checkout, order)));
  else if (checkout.habits.retries > 0 && checkout.card.ending === "declined")
    await retryByHand(context, checkout);
}

/** A page is closed for the whole checkout, while its buyer may be paying; else the first order is canceled. */
async function cancel(context: ClientContext, checkout: PlannedCheckout): Promise<void> {
  const [{ payment_order_id }] = checkout.orders;
  const path =
    checkout.habits.page === null
      ? `/payments/${payment_order_id}/cancel`
      : `/checkouts/${checkout.checkout_id}/cancel`;
  const canceling = sendUntilDecided(context, "cancel", payment_order_id, () =>
    context.http.api("POST", path),
  );
  if (checkout.habits.page === null) await canceling;
  else await Promise.all([canceling, visitPage(context, checkout, checkout.habits.page)]);
}

/** The checkout's own request, exactly as its client always sends it. */
export function postCheckout(
  context: ClientContext,
  checkout: PlannedCheckout,
  patience_ms: number | null = null,
): Promise<Answer> {
  const headers = keyOf(checkout);
  const body = bodyOf(checkout);
  return sendUntilDecided(context, "checkout", checkout.checkout_id, (tries) =>
    context.http.api("POST", "/payments", {
      body,
      headers,
      ...(tries === 1 && patience_ms !== null ? { patience_ms } : {}),
    }),
  );
}

const keyOf = (checkout: PlannedCheckout): Record<string, string> =>
  checkout.habits.has_idempotency_key ? { "idempotency-key": `key-${checkout.checkout_id}` } : {};

/** What must be refused, and leave no trace. */
async function abuse(
  context: ClientContext,
  checkout: PlannedCheckout,
  plan: readonly PlannedCheckout[],
): Promise<void> {
  const post = (request: Request, body: string, headers: Record<string, string> = {}): Promise<Answer> =>
    sendUntilDecided(context, request, checkout.checkout_id, () =>
      context.http.api("POST", "/payments", { body, headers }),
    );
  const [first, ...others] = checkout.orders;
  const cheaper = bodyOf({ ...checkout, orders: [{ ...first, seller_account: "seller_thief" }, ...others] });
  switch (checkout.habits.abuse) {
    case "none":
      return;
    case "other_body":
      await post("other_body", cheaper);
      return;
    case "other_body_same_key":
      await post("other_body", cheaper, keyOf(checkout));
      return;
    case "order_of_another": {
      const victim = plan.find((one) => context.journal.accepted.has(one.checkout_id)) ?? checkout;
      await post(
        "order_of_another",
        bodyOf({ ...checkout, checkout_id: `${checkout.checkout_id}-thief`, orders: [victim.orders[0]] }),
      );
    }
  }
}

/** On the PSP's page, which is independent of us: pays with another card, or gives up. */
async function actAsBuyer(
  context: ClientContext,
  checkout: PlannedCheckout,
  order: PlannedOrder,
): Promise<void> {
  if (checkout.habits.buyer === "leaves") return;
  const waiting = await waitForOrder(context, order, "PENDING");
  if (waiting === undefined || waiting.psp_token === null) return;
  context.journal.acted.set(order.payment_order_id, waiting.psp_token);
  const path = `payment_intents/${waiting.psp_token}`;
  for (let tries = 1; tries <= 20; tries++) {
    const { status } =
      checkout.habits.buyer === "pays"
        ? await context.http.psp("POST", `${path}/confirm`, { payment_method: "pm_card_visa" })
        : await context.http.psp("POST", `${path}/cancel`);
    // 400: an earlier try did it.
    if (status === 200 || status === 400) return;
    await sleep(200, undefined, { signal: context.signal });
  }
}

async function retryByHand(context: ClientContext, checkout: PlannedCheckout): Promise<void> {
  for (const order of checkout.orders) {
    for (let retry = 1; retry <= checkout.habits.retries; retry++) {
      if ((await waitForOrder(context, order, "FAILED")) === undefined) return;
      const headers = { "idempotency-key": `retry-${order.payment_order_id}-${retry}` };
      await sendUntilDecided(context, "retry", order.payment_order_id, () =>
        context.http.api("POST", `/payments/${order.payment_order_id}/retry`, { headers }),
      );
    }
  }
}
