import type { ChargeRecord } from "./records.ts";
import { EMPTY_BILLING, renderCard } from "./render-payment-method.ts";

function outcome(charge: ChargeRecord): unknown {
  const { decline } = charge;
  const risk = { risk_level: "normal", risk_score: 12 };
  if (decline === undefined) {
    return {
      advice_code: null,
      network_advice_code: null,
      network_decline_code: null,
      network_status: "approved_by_network",
      reason: null,
      ...risk,
      seller_message: "Payment complete.",
      type: "authorized",
    };
  }
  return {
    advice_code: decline.code === "processing_error" ? "try_again_later" : null,
    network_advice_code: null,
    network_decline_code: null,
    network_status: decline.blocked === true ? "not_sent_to_network" : "declined_by_network",
    reason: decline.blocked === true ? "highest_risk_level" : decline.decline_code,
    ...(decline.blocked === true ? { risk_level: "highest", risk_score: 92 } : risk),
    seller_message: "The bank did not complete the charge.",
    type: decline.blocked === true ? "blocked" : "issuer_declined",
  };
}

function chargedCard({ card, capture_before, multicapture }: ChargeRecord): Record<string, unknown> {
  if (capture_before === undefined) return renderCard(card);
  return { ...renderCard(card), capture_before, multicapture: { status: multicapture } };
}

/** Stripe's Charge object. */
export function renderCharge(charge: ChargeRecord): Record<string, unknown> {
  return {
    id: charge.id,
    object: "charge",
    amount: charge.amount,
    amount_captured: charge.amount_captured,
    amount_refunded: charge.amount_refunded,
    application: null,
    application_fee: null,
    application_fee_amount: null,
    balance_transaction: charge.balance_transaction ?? null,
    billing_details: EMPTY_BILLING,
    calculated_statement_descriptor: "SIMULATOR",
    captured: charge.captured,
    created: charge.created,
    currency: charge.currency,
    customer: null,
    description: null,
    disputed: false,
    failure_balance_transaction: null,
    failure_code: charge.decline?.code ?? null,
    failure_message: charge.decline?.message ?? null,
    fraud_details: {},
    livemode: false,
    metadata: charge.metadata,
    on_behalf_of: null,
    outcome: outcome(charge),
    paid: charge.status === "succeeded",
    payment_intent: charge.payment_intent,
    payment_method: charge.payment_method,
    payment_method_details: { card: chargedCard(charge), type: "card" },
    receipt_email: null,
    receipt_number: null,
    receipt_url: null,
    refunded: charge.amount_refunded > 0 && charge.amount_refunded === charge.amount,
    review: null,
    shipping: null,
    source: null,
    source_transfer: null,
    statement_descriptor: null,
    statement_descriptor_suffix: null,
    status: charge.status,
    transfer_data: null,
    transfer_group: null,
    ...charge.extra,
  };
}
