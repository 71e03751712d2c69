/** The checkouts of the demo. */
export type DemoOrder = {
  readonly payment_order_id: string;
  readonly seller_account: string;
  readonly amount: string;
};
export type DemoCheckout = {
  readonly checkout_id: string;
  readonly token: string;
  readonly orders: readonly DemoOrder[];
};

export const currency = "USD";
export const buyer = "buyer_alice";

export const twoSellers: DemoCheckout = {
  checkout_id: "checkout-two-sellers",
  token: "tok_visa_4242",
  orders: [
    { payment_order_id: "order-bob", seller_account: "seller_bob", amount: "29.99" },
    { payment_order_id: "order-charlie", seller_account: "seller_charlie", amount: "15.50" },
  ],
};
export const fiftyTimes = single("50-times", "tok_visa_4242", "12.00");
/** The issuer says no, today and tomorrow. */
export const declined = single("declined", "tok_card_declined", "100.00");
/** The simulator refuses the first attempt of the order with an error that passes. */
export const transient = single("transient", "tok_fault_once_processing_error", "20.00");
/** The simulator charges at once and answers three seconds later. */
export const killed = single("killed", "tok_fault_slow", "75.00");

/** Only authorised at first; it comes after everything has been counted. */
export const authorized = single("authorized", "tok_visa_4242", "80.00");

export const allCheckouts: readonly DemoCheckout[] = [twoSellers, fiftyTimes, declined, transient, killed];
/** The orders that end paid. */
export const paidOrders: readonly DemoOrder[] = [twoSellers, fiftyTimes, transient, killed].flatMap(
  (checkout) => checkout.orders,
);

function single(
  name: string,
  token: string,
  amount: string,
): DemoCheckout & { readonly payment_order_id: string } {
  const payment_order_id = `order-${name}`;
  return {
    checkout_id: `checkout-${name}`,
    token,
    payment_order_id,
    orders: [{ payment_order_id, seller_account: "seller_bob", amount }],
  };
}

/** The body of POST /payments. */
export function bodyOf(checkout: DemoCheckout): Record<string, unknown> {
  return {
    checkout_id: checkout.checkout_id,
    buyer_info: { user_id: buyer, email: "alice@example.com" },
    credit_card_info: { token: checkout.token, last4: "4242" },
    payment_orders: checkout.orders.map((order) => ({ ...order, currency })),
  };
}
