import type { TestStack } from "../support/stack.ts";
import { acceptCheckout, card, orderIn, type SentCheckout } from "./requests.ts";

/** A checkout in USD with two sellers that was paid, and one in JPY whose card was declined. */
export async function paidAndDeclined(
  stack: TestStack,
): Promise<{ readonly paid: SentCheckout; readonly declined: SentCheckout }> {
  const paid = await acceptCheckout(stack, { seller_info: { name: "Bob's", country: "DE" } }, [
    { amount: "29.99", seller_account: "seller_bob" },
    { amount: "15.5", seller_account: "seller_charlie", currency: undefined },
  ]);
  const declined = await acceptCheckout(stack, card("tok_card_declined"), [
    { amount: "500", currency: "JPY" },
  ]);
  await orderIn(stack, paid.order_ids[0], "SUCCESS");
  await orderIn(stack, paid.order_ids[1] ?? "", "SUCCESS");
  await orderIn(stack, declined.order_ids[0], "FAILED");
  return { paid, declined };
}
