import { cardDetails, cardNamed } from "./cards.ts";
import type { PaymentMethodRecord } from "./records.ts";

export const EMPTY_BILLING = {
  address: { city: null, country: null, line1: null, line2: null, postal_code: null, state: null },
  email: null,
  name: null,
  phone: null,
  tax_id: null,
};

/** Stripe's PaymentMethod object for a card. */
export function renderPaymentMethod(record: PaymentMethodRecord): unknown {
  return {
    id: record.id,
    object: "payment_method",
    allow_redisplay: "unspecified",
    billing_details: EMPTY_BILLING,
    card: renderCard(record.card),
    created: record.created,
    customer: null,
    customer_account: null,
    livemode: false,
    metadata: record.metadata,
    type: "card",
  };
}

export function renderCard(name: string): Record<string, unknown> {
  const details = cardDetails(cardNamed(name));
  return {
    ...details,
    checks: { address_line1_check: null, address_postal_code_check: null, cvc_check: "pass" },
    display_brand: details.brand,
    fingerprint: `fp${details.brand}${details.last4}`,
    generated_from: null,
    networks: { available: [details.brand], preferred: null },
    regulated_status: "unregulated",
    three_d_secure_usage: { supported: true },
    wallet: null,
  };
}
