import { renderSession } from "./checkout-render.ts";
import type {
  ChargeRecord,
  EndpointRecord,
  EventRecord,
  IntentRecord,
  PaymentFailure,
  RequestRecord,
} from "./records.ts";
import { StripeError } from "./stripe-error.ts";
import { renderPaymentMethod } from "./render-payment-method.ts";
import { renderCharge } from "./render-charge.ts";

/** The version of Stripe's API whose objects are spoken here. */
export const API_VERSION = "2026-10-28.endive";

const CARD_OPTIONS = {
  installments: null,
  mandate_options: null,
  network: null,
  request_three_d_secure: "automatic",
};

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
