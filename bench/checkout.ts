const sellers = 1_000;

let count = 0;

/** The body of a `POST /payments` with one order, new each time. */
export function checkout(): string {
  count += 1;
  const id = `${Date.now().toString(36)}-${count}`;
  return JSON.stringify({
    checkout_id: `checkout-${id}`,
    buyer_info: { user_id: `buyer-${count % 5_000}`, email: "buyer@example.com" },
    credit_card_info: { token: "tok_visa_4242", last4: "4242" },
    payment_orders: [
      {
        payment_order_id: `order-${id}`,
        seller_account: `seller-${count % sellers}`,
        amount: `${1 + (count % 500)}.99`,
        currency: "USD",
      },
    ],
  });
}
