import { formatAmount } from "../src/money/money.ts";
import { sendUntilDecided, waitForOrder, type ClientContext } from "./client.ts";
import type { Answer } from "./http-client.ts";
import type { Captures, PlannedOrder } from "./plan.ts";

/** Captures an order as its client has planned, one after another or all at once, each repeated until it is decided. */
export async function captureOrder(
  context: ClientContext,
  order: PlannedOrder,
  captures: Captures | null,
): Promise<void> {
  if (captures === null || (await waitForOrder(context, order, "AUTHORIZED")) === undefined) return;
  const bodies = bodiesOf(order, captures);
  if (captures.is_at_once)
    await Promise.all(bodies.map((body) => sendCapture(context, order.payment_order_id, body)));
  else for (const body of bodies) await sendCapture(context, order.payment_order_id, body);
  const { payment_order_id } = order;
  if (captures.ending === "cancel")
    await sendUntilDecided(context, "cancel", payment_order_id, () =>
      context.http.api("POST", `/payments/${payment_order_id}/cancel`),
    );
}

/** Always the same bytes for the same capture. */
function bodiesOf({ payment_order_id, money }: PlannedOrder, { shares, ending }: Captures): string[] {
  // Stripe takes three decimals in steps of ten.
  const step_minor = money.currency === "BHD" ? 10n : 1n;
  return shares.map((share, index) => {
    const part_minor = ((money.amount_minor * BigInt(share)) / 1_000n / step_minor) * step_minor;
    const amount = formatAmount({
      ...money,
      amount_minor: part_minor > step_minor ? part_minor : step_minor,
    });
    return JSON.stringify({
      capture_id: `${payment_order_id}-capture-${index + 1}`,
      amount,
      is_final: ending === "last_is_final" && index === shares.length - 1,
    });
  });
}

/** A capture's own request; `subject` in the journal is the order and the body. */
export function sendCapture(context: ClientContext, paymentOrderId: string, body: string): Promise<Answer> {
  return sendUntilDecided(context, "capture", `${paymentOrderId} ${body}`, () =>
    context.http.api("POST", `/payments/${paymentOrderId}/capture`, { body }),
  );
}
