import { Accepted, Checkout, type OrderDetail } from "./answers.ts";
import { read } from "./client.ts";
import { bodyOf, buyer, twoSellers } from "./fixtures.ts";
import type { Step } from "./step-context.ts";

export const createEvent: Step = {
  title: "One checkout, two sellers",
  proves: "A payment is stored, then acknowledged, then charged: no buyer waits for a card network.",
  async run({ client, report, checks, first_answers }) {
    const reply = await client.post("/payments", bodyOf(twoSellers));
    first_answers.set(twoSellers.checkout_id, reply.text);
    const { payment_orders } = read(reply.text, Accepted);
    report.table(
      [
        { title: "order" },
        { title: "seller" },
        { title: "amount", is_right: true },
        { title: "" },
        { title: "state" },
      ],
      payment_orders.map((order) => [
        order.payment_order_id,
        order.seller_account,
        order.amount,
        order.currency,
        order.status,
      ]),
    );
    checks.check(
      `POST /api/v1/payments, ${buyer} pays with ${twoSellers.token}: 202 Accepted, both orders NOT_STARTED`,
      [reply.status, ...payment_orders.map((order) => order.status)],
      [202, "NOT_STARTED", "NOT_STARTED"],
    );
  },
};

export const executeOrders: Step = {
  title: "Both orders are executed",
  proves: "Order, ledger and wallet are written in one database transaction, so they cannot disagree.",
  async run({ client, report, checks }) {
    const orders = await Promise.all(
      twoSellers.orders.map(({ payment_order_id }) => client.waitForOrder(payment_order_id, "SUCCESS")),
    );
    report.table(
      [{ title: "order" }, { title: "history" }, { title: "charge at the PSP" }],
      orders.map((order) => [order.payment_order_id, pathOf(order), order.psp_token ?? ""]),
    );
    const checkout = await client.get(`/checkouts/${twoSellers.checkout_id}`, Checkout);
    checks.check(
      "both are SUCCESS, in the ledger and in the wallets, so the checkout is COMPLETE",
      [
        ...orders.map((order) => [order.status, order.ledger_updated, order.wallet_updated]),
        checkout.payment_event_status,
        checkout.is_payment_done,
      ],
      [...orders.map(() => ["SUCCESS", true, true]), "COMPLETE", true],
    );
    const counts = await Promise.all(orders.map((order) => client.countCharges(order.payment_order_id)));
    checks.check("the PSP's own books show one charge for each", counts, [1, 1]);
  },
};

/** The states an order went through. */
export function pathOf(order: OrderDetail): string {
  return order.transitions.map((transition) => transition.to_status).join(" → ");
}
