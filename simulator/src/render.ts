import { cardDetails, cardNamed } from "./cards.ts";
import { renderSession } from "./checkout-render.ts";
import type {
  ChargeRecord,
  EndpointRecord,
  EventRecord,
  IntentRecord,
  PaymentFailure,
  PaymentMethodRecord,
  RequestRecord,
} from "./records.ts";
import { StripeError } from "./stripe-error.ts";

/** The version of Stripe's API whose objects are spoken here. */
export const API_VERSION = "2026-10-28.endive";

const EMPTY_BILLING = {
  address: { city: null, country: null, line1: null, line2: null, postal_code: null, state: null },
  email: null,
  name: null,
  phone: null,
  tax_id: null,
};

const CARD_OPTIONS = {
  installments: null,
  mandate_options: null,
  network: null,
  request_three_d_secure: "automatic",
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

function renderCard(name: string): Record<string, unknown> {
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

function renderFailure(failure: PaymentFailure, created: number): unknown {
  const { code, decline_code, message } = failure.decline;
  const isCharge = failure.charge !== undefined;
  return {
    ...(isCharge ? { charge: failure.charge } : {}),
    code,
    ...(isCharge ? { decline_code } : {}),
    doc_url: `https://stripe.com/docs/error-codes/${code.replaceAll("_", "-")}`,
    message,
    payment_method: renderPaymentMethod({
      id: failure.payment_method,
      created,
      card: failure.card,
      metadata: {},
    }),
    type: isCharge ? "card_error" : "invalid_request_error",
  };
}

function nextAction(intent: IntentRecord): unknown {
  if (intent.status !== "requires_action") return null;
  if (intent.return_url === undefined) {
    const use = { type: "three_d_secure_redirect", source: intent.payment_method };
    return { type: "use_stripe_sdk", use_stripe_sdk: use };
  }
  const url = `${intent.origin ?? "https://hooks.stripe.com"}/c/3d_secure_2/${intent.id}/${intent.secret}`;
  return { type: "redirect_to_url", redirect_to_url: { return_url: intent.return_url, url } };
}

/** The parts of an intent that can be shown in full instead of by id. */
export interface Expansion {
  charge?: ChargeRecord | undefined;
  expand?: readonly string[] | undefined;
}

/** What may still be captured of an intent. */
export function capturable({ status, amount, amount_received = 0 }: IntentRecord): number {
  return status === "requires_capture" ? amount - amount_received : 0;
}

function cardOptions({ request_multicapture }: IntentRecord): unknown {
  return request_multicapture === undefined ? CARD_OPTIONS : { ...CARD_OPTIONS, request_multicapture };
}

/** Stripe's PaymentIntent object. */
export function renderIntent(intent: IntentRecord, expansion: Expansion = {}): Record<string, unknown> {
  const automatic = "allow_redirects" in intent.methods ? intent.methods : null;
  const expandMethod = expansion.expand?.includes("payment_method") === true;
  return {
    id: intent.id,
    object: "payment_intent",
    allowed_payment_method_types: automatic === null ? intent.methods : null,
    amount: intent.amount,
    amount_capturable: capturable(intent),
    amount_details: { tip: {} },
    amount_received: intent.amount_received ?? 0,
    application: null,
    application_fee_amount: null,
    automatic_payment_methods: automatic === null ? null : { ...automatic, enabled: true },
    canceled_at: intent.canceled_at ?? null,
    cancellation_reason: intent.cancellation_reason ?? null,
    capture_method: intent.capture_method,
    client_secret: `${intent.id}_secret_${intent.secret}`,
    confirmation_method: intent.confirmation_method,
    created: intent.created,
    currency: intent.currency,
    customer: null,
    customer_account: null,
    description: null,
    excluded_payment_method_types: null,
    last_payment_error: intent.failure === undefined ? null : renderFailure(intent.failure, intent.created),
    latest_charge:
      expansion.charge === undefined ? (intent.latest_charge ?? null) : renderCharge(expansion.charge),
    livemode: false,
    managed_payments: null,
    metadata: intent.metadata,
    next_action: nextAction(intent),
    on_behalf_of: null,
    payment_method: expandMethod ? expandedMethod(intent) : (intent.payment_method ?? null),
    payment_method_configuration_details: null,
    payment_method_options: { card: cardOptions(intent) },
    payment_method_types: automatic === null ? intent.methods : ["card"],
    payment_record: null,
    processing: null,
    receipt_email: null,
    review: null,
    setup_future_usage: null,
    shipping: null,
    source: null,
    statement_descriptor: null,
    statement_descriptor_suffix: null,
    status: intent.status,
    transfer_data: null,
    transfer_group: null,
    ...intent.extra,
  };
}

function expandedMethod(intent: IntentRecord): unknown {
  if (intent.payment_method === undefined || intent.card === undefined) return null;
  return renderPaymentMethod({
    id: intent.payment_method,
    created: intent.created,
    card: intent.card,
    metadata: {},
  });
}

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

function renderObject(object: EventRecord["object"]): unknown {
  if ("session" in object) return renderSession(object.session);
  return "intent" in object ? renderIntent(object.intent) : renderCharge(object.charge);
}

/** Stripe's Event object with the object as it was at that moment. */
export function renderEvent(event: EventRecord): unknown {
  const { request_id, idempotency_key } = event;
  return {
    id: event.id,
    object: "event",
    api_version: API_VERSION,
    created: event.created,
    livemode: false,
    data: { object: renderObject(event.object) },
    pending_webhooks: event.pending_webhooks,
    request: { id: request_id === "" ? null : request_id, idempotency_key },
    type: event.type,
  };
}

/** Stripe's WebhookEndpoint object; the secret is shown at creation only. */
export function renderEndpoint(endpoint: EndpointRecord, withSecret: boolean): Record<string, unknown> {
  return {
    id: endpoint.id,
    object: "webhook_endpoint",
    api_version: endpoint.api_version,
    application: null,
    created: endpoint.created,
    description: endpoint.description,
    enabled_events: endpoint.enabled_events,
    livemode: false,
    metadata: endpoint.metadata,
    ...(withSecret ? { secret: endpoint.secret } : {}),
    status: endpoint.status,
    url: endpoint.url,
  };
}

/** The 402 body of a declined confirmation. */
export function renderDecline(intent: IntentRecord): unknown {
  const { failure } = intent;
  if (failure === undefined) throw new Error(`intent ${intent.id} has no failure to show`);
  const { code, decline_code, message } = failure.decline;
  return new StripeError(402, "card_error", message, {
    code,
    decline_code,
    ...(failure.charge === undefined ? {} : { charge: failure.charge }),
    ...(code === "incorrect_cvc" ? { param: "cvc" } : {}),
    ...(code === "expired_card" ? { param: "exp_month" } : {}),
    payment_intent: renderIntent(intent),
    payment_method: renderPaymentMethod({
      id: failure.payment_method,
      created: intent.created,
      card: failure.card,
      metadata: {},
    }),
  }).body();
}

/** The JSON body of a request's answer. */
export function renderAnswer({ answer, intent, charge, session }: Omit<RequestRecord, "created">): unknown {
  if (answer.kind === "body") return answer.body;
  if (answer.kind === "session") {
    if (session === undefined) throw new Error("the stored answer has lost its session");
    return renderSession(session, { expand: answer.expand, intent: intent && renderIntent(intent) });
  }
  if (intent === undefined) throw new Error("the stored answer has lost its intent");
  if (answer.kind === "declined") return renderDecline(intent);
  const shown = answer.expand?.includes("latest_charge") === true ? charge : undefined;
  return renderIntent(intent, { charge: shown, expand: answer.expand });
}
