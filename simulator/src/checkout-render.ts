import type { SessionLine, SessionRecord } from "./records.ts";

/** The parts of a session that can be shown in full: its lines, and its intent (already rendered). */
export interface SessionExpansion {
  expand?: readonly string[] | undefined;
  intent?: unknown;
}

const NO_TOTALS = { amount_discount: 0, amount_shipping: 0, amount_tax: 0 };
const NO_TEXT = {
  after_submit: null,
  shipping_address: null,
  submit: null,
  terms_of_service_acceptance: null,
};

function renderLine(line: SessionLine, session: SessionRecord): unknown {
  const amount = line.unit_amount * line.quantity;
  const { currency, created } = session;
  return {
    id: line.id,
    object: "item",
    adjustable_quantity: null,
    amount_discount: 0,
    amount_subtotal: amount,
    amount_tax: 0,
    amount_total: amount,
    currency,
    description: line.name,
    metadata: {},
    price: {
      id: line.id.replace(/^li_/, "price_"),
      object: "price",
      active: false,
      billing_scheme: "per_unit",
      created,
      currency,
      custom_unit_amount: null,
      livemode: false,
      lookup_key: null,
      metadata: {},
      nickname: null,
      product: line.id.replace(/^li_/, "prod_"),
      recurring: null,
      tax_behavior: "unspecified",
      tiers_mode: null,
      transform_quantity: null,
      type: "one_time",
      unit_amount: line.unit_amount,
      unit_amount_decimal: String(line.unit_amount),
    },
    quantity: line.quantity,
  };
}

/** Stripe's list of a session's line items, all on one page. */
export function renderLines(session: SessionRecord): unknown {
  return {
    object: "list",
    data: session.lines.map((line) => renderLine(line, session)),
    has_more: false,
    url: `/v1/checkout/sessions/${session.id}/line_items`,
  };
}

function customerDetails(session: SessionRecord): unknown {
  const { customer_email, customer_name } = session;
  if (customer_email === undefined && customer_name === undefined) return null;
  return {
    address: null,
    business_name: null,
    email: customer_email ?? null,
    individual_name: null,
    name: customer_name ?? null,
    phone: null,
    tax_exempt: "none",
    tax_ids: null,
  };
}

/** Stripe's Checkout Session object. The page's URL is shown only while the session is open. */
export function renderSession(
  session: SessionRecord,
  expansion: SessionExpansion = {},
): Record<string, unknown> {
  const { expand = [], intent } = expansion;
  const automatic = "allow_redirects" in session.methods;
  const wantsIntent = expand.some((path) => path.startsWith("payment_intent"));
  return {
    id: session.id,
    object: "checkout.session",
    adaptive_pricing: { enabled: false },
    after_expiration: null,
    allow_promotion_codes: null,
    allowed_payment_method_types: automatic ? null : session.methods,
    amount_subtotal: session.amount_total,
    amount_total: session.amount_total,
    automatic_tax: { enabled: false, liability: null, provider: null, status: null },
    billing_address_collection: null,
    cancel_url: session.cancel_url ?? null,
    client_reference_id: session.client_reference_id ?? null,
    client_secret: null,
    collected_information: null,
    consent: null,
    consent_collection: null,
    created: session.created,
    currency: session.currency,
    currency_conversion: null,
    custom_fields: [],
    custom_text: NO_TEXT,
    customer: null,
    customer_account: null,
    customer_creation: "if_required",
    customer_details: customerDetails(session),
    customer_email: session.customer_email ?? null,
    discounts: [],
    expires_at: session.expires_at,
    integration_identifier: null,
    invoice: null,
    invoice_creation: null,
    ...(expand.includes("line_items") ? { line_items: renderLines(session) } : {}),
    livemode: false,
    locale: null,
    managed_payments: null,
    metadata: session.metadata,
    mode: "payment",
    origin_context: null,
    payment_intent: (wantsIntent ? intent : undefined) ?? session.payment_intent ?? null,
    payment_link: null,
    payment_method_collection: "if_required",
    payment_method_configuration_details: null,
    payment_method_options: { card: { request_three_d_secure: "automatic" } },
    payment_method_types: automatic ? ["card"] : session.methods,
    payment_status: session.payment_status,
    permissions: null,
    phone_number_collection: { enabled: false },
    recovered_from: null,
    saved_payment_method_options: null,
    setup_intent: null,
    shipping_address_collection: null,
    shipping_cost: null,
    shipping_options: [],
    status: session.status,
    submit_type: null,
    subscription: null,
    success_url: session.success_url,
    total_details: NO_TOTALS,
    ui_mode: "hosted_page",
    url: session.status === "open" ? session.url : null,
    wallet_options: null,
    ...session.extra,
  };
}
