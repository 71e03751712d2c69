import type { Decline } from "./cards.ts";

/*
 * What is stored, in a shorter form than what is shown (render.ts). Amounts are JSON integers of minor units,
 * as on Stripe's wire: they have at most eight digits, so a JavaScript number is exact.
 */

export type IntentStatus =
  | "requires_payment_method"
  | "requires_confirmation"
  | "requires_action"
  | "requires_capture"
  | "canceled"
  | "succeeded";

export type Metadata = Readonly<Record<string, string>>;

/** A failed attempt, kept on the intent until the next one. */
export interface PaymentFailure {
  /** Absent when the buyer failed the authentication: nothing was charged then. */
  charge?: string;
  payment_method: string;
  card: string;
  decline: Decline;
}

export interface IntentRecord {
  id: string;
  /** 1 at creation, one more at each change. */
  version: number;
  created: number;
  secret: string;
  amount: number;
  currency: string;
  status: IntentStatus;
  capture_method: "automatic" | "automatic_async" | "manual";
  confirmation_method: "automatic" | "manual";
  metadata: Metadata;
  /** Automatic payment methods, or the explicit list. */
  methods: { allow_redirects: "always" | "never" } | readonly string[];
  /** Whether an authorisation may be captured in several parts. */
  request_multicapture?: "if_available" | "never";
  payment_method?: string;
  card?: string;
  attempts?: number;
  return_url?: string;
  /** Where the client reached the simulator: there is the page for 3-D Secure. */
  origin?: string;
  /** Parameters given back as they came: description, receipt_email, shipping, … */
  extra?: Readonly<Record<string, unknown>>;
  amount_received?: number;
  /** While it waits for its capture: when the authorisation ends by itself, in Unix seconds. */
  capture_before?: number;
  latest_charge?: string;
  failure?: PaymentFailure;
  canceled_at?: number;
  cancellation_reason?: string;
  /** The Checkout Session it belongs to; only the session's page moves it then. */
  checkout_session?: string;
}

export interface ChargeRecord {
  id: string;
  payment_intent: string;
  created: number;
  amount: number;
  amount_captured: number;
  amount_refunded: number;
  currency: string;
  status: "succeeded" | "failed";
  captured: boolean;
  /**
   * Of one that was authorised first: until when it could be captured (Unix seconds), and whether in several
   * parts.
   */
  capture_before?: number;
  multicapture?: "available" | "unavailable";
  /** Of the last capture; of one that was captured at once Stripe makes it later. */
  balance_transaction?: string;
  payment_method: string;
  card: string;
  metadata: Metadata;
  extra?: Readonly<Record<string, unknown>>;
  decline?: Decline;
}

export interface SessionLine {
  id: string;
  name: string;
  description?: string;
  unit_amount: number;
  quantity: number;
}

/** A Checkout Session: an order, and the hosted page on which its buyer pays it. */
export interface SessionRecord {
  id: string;
  /** 1 at creation, one more at each change. */
  version: number;
  created: number;
  expires_at: number;
  status: "open" | "complete" | "expired";
  payment_status: "paid" | "unpaid";
  currency: string;
  amount_total: number;
  lines: readonly SessionLine[];
  url: string;
  success_url: string;
  cancel_url?: string;
  metadata: Metadata;
  methods: IntentRecord["methods"];
  /** What the intent gets that is made when the buyer first pays. */
  payment: { metadata: Metadata; extra?: Readonly<Record<string, unknown>> };
  payment_intent?: string;
  client_reference_id?: string;
  customer_email?: string;
  /** As typed on the page. */
  customer_name?: string;
  /** Parameters given back as they came: locale, submit_type. */
  extra?: Readonly<Record<string, unknown>>;
}

export interface PaymentMethodRecord {
  id: string;
  created: number;
  card: string;
  metadata: Metadata;
}

export const EVENT_TYPES = [
  "payment_intent.created",
  "payment_intent.succeeded",
  "payment_intent.payment_failed",
  "payment_intent.requires_action",
  "payment_intent.canceled",
  "payment_intent.amount_capturable_updated",
  "charge.succeeded",
  "charge.failed",
  "charge.captured",
  "charge.updated",
  "checkout.session.completed",
  "checkout.session.expired",
] as const;

export type EventType = (typeof EVENT_TYPES)[number];

/** One event, taken out of its request's row. */
export interface EventRecord {
  id: string;
  type: EventType;
  created: number;
  pending_webhooks: number;
  /** Empty: no API request caused it (a buyer or the clock did). */
  request_id: string;
  idempotency_key: string | null;
  object: { intent: IntentRecord } | { charge: ChargeRecord } | { session: SessionRecord };
}

export interface EffectRecord {
  kind: "charge_succeeded" | "charge_captured";
  payment_intent: string;
  charge: string;
  amount_minor: number;
  currency: string;
  card: string;
  metadata: Metadata;
  created_ms: number;
}

export interface EndpointRecord {
  id: string;
  created: number;
  url: string;
  secret: string;
  enabled_events: readonly string[];
  description: string | null;
  metadata: Metadata;
  api_version: string | null;
  status: "enabled" | "disabled";
  /** Registered from the environment at start. */
  from_environment: boolean;
}

/** An answer in its stored form: with the objects of its request it always renders to the same bytes. */
export type Answer =
  | { kind: "intent"; expand?: readonly string[] }
  | { kind: "session"; expand?: readonly string[] }
  | { kind: "declined" }
  | { kind: "body"; body: unknown };

/** What a request leaves behind: its answer, and the objects as they were after it. */
export interface RequestRecord {
  created: number;
  answer: Answer;
  intent?: IntentRecord;
  charge?: ChargeRecord;
  session?: SessionRecord;
  /** Endpoints each event goes to, in the order of the events; absent when there are none. */
  pending_webhooks?: readonly number[];
}

export interface RequestRow {
  /** The stem of the ids of its events. */
  id: string;
  key: string | null;
  fingerprint: string | null;
  request_id: string;
  status: number;
  types: readonly EventType[];
  record: RequestRecord;
}

/** Everything one request changes; written in one transaction with its stored answer. */
export interface Writes {
  intent?: IntentRecord;
  charge?: ChargeRecord;
  session?: SessionRecord;
  /** In the order they happened. */
  events?: readonly EventType[];
  effect?: EffectRecord;
  once_fault?: string;
  payment_method?: PaymentMethodRecord;
  endpoint?: EndpointRecord;
  /** What a request that was answered with a 500 will do all the same. */
  rolled_forward?: RolledForward;
  /** The id of what was rolled forward with these writes. */
  rolled_forward_done?: string;
}

export interface RolledForward {
  id: string;
  /** Unix seconds, with a fraction. */
  due_at: number;
  writes: Writes;
}
