import { isUtf8 } from "node:buffer";
import { createHmac, timingSafeEqual } from "node:crypto";
import type Stripe from "stripe";
import { now } from "../../clock.ts";
import { AppError } from "../../errors.ts";
import type { PspOutcome } from "../port-outcomes.ts";
import type { VerifiedWebhook, WebhookHeaders, WebhookReport } from "../port-webhooks.ts";
import { withReferences } from "../references.ts";
import { outcomeOfIntent } from "./outcomes.ts";
import { outcomeOfSession, page_mark } from "./pages.ts";

/** A webhook older or newer than this is refused. */
const tolerance_seconds = 300;

/**
 * Verifies Stripe's signature over the raw bytes (https://docs.stripe.com/webhooks, "Verify manually").
 * The SDK decodes them first, which drops a byte-order mark: bytes that nobody signed passed as genuine.
 * Errors: `invalid_request` for a genuine body that is not an event.
 */
export function verifyWebhook(
  secrets: readonly string[],
  body: Buffer,
  headers: WebhookHeaders,
): VerifiedWebhook | undefined {
  const signature = readSignature(headers["stripe-signature"]);
  if (
    signature === undefined ||
    !isRecent(signature.time) ||
    !secrets.some((secret) => isSignedWith(secret, signature, body))
  )
    return undefined;
  const event = isUtf8(body) ? parsed(body.toString("utf8")) : undefined;
  const metadata = metadataOf(event);
  return {
    psp_event_id: requiredText(event, "id", 255),
    type: requiredText(event, "type", 128),
    attempt_id: storableText(metadata["attempt_id"], 64) ?? null,
    payment_order_id: storableText(metadata["payment_order_id"], 255) ?? null,
  };
}

type Signature = { readonly time: string; readonly v1: readonly Buffer[] };

/**
 * Parses `t=…,v1=…` with exactly one time: of two, one could be checked for its age while the other is
 * signed.
 */
function readSignature(header: string | string[] | undefined): Signature | undefined {
  if (typeof header !== "string") return undefined;
  const valuesOf = (name: string): string[] =>
    header.split(",").flatMap((part) => (part.startsWith(`${name}=`) ? [part.slice(name.length + 1)] : []));
  const [time, ...otherTimes] = valuesOf("t");
  if (time === undefined || otherTimes.length > 0 || !/^\d{1,12}$/.test(time)) return undefined;
  return {
    time,
    v1: valuesOf("v1")
      .filter((value) => /^[0-9a-f]{64}$/.test(value))
      .map((value) => Buffer.from(value, "hex")),
  };
}

const isRecent = (time: string): boolean =>
  Math.abs(Number(time) - now().getTime() / 1_000) <= tolerance_seconds;

function isSignedWith(secret: string, { time, v1 }: Signature, body: Buffer): boolean {
  const expected = createHmac("sha256", secret).update(`${time}.`).update(body).digest();
  return v1.some((given) => timingSafeEqual(given, expected));
}

/** Events that a later version will apply: refunds, disputes, and transfers between us and Stripe. */
const unsupportedKinds = [
  "charge.refund",
  "refund.",
  "charge.dispute.",
  "payout.",
  "transfer.",
  "topup.",
  "radar.early_fraud_warning.",
  "review.",
  "checkout.session.async_payment_",
];

/** The events that report the outcome of a charge (https://docs.stripe.com/api/events/types). */
export function readWebhook(body: string): WebhookReport {
  const event = parsed(body);
  const type = String(field(event, "type"));
  if (unsupportedKinds.some((kind) => type.startsWith(kind))) return "unsupported";
  const metadata = metadataOf(event);
  const object = field(field(event, "data"), "object");
  switch (type) {
    case "checkout.session.completed":
    case "checkout.session.expired":
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- signed: Stripe wrote it
      return reportOf(metadata, () => outcomeOfSession(object as Stripe.Checkout.Session));
    case "payment_intent.succeeded":
    case "payment_intent.amount_capturable_updated":
    case "payment_intent.processing":
    case "payment_intent.requires_action":
    case "payment_intent.payment_failed":
    case "payment_intent.canceled":
      // On a page a card may fail and another one follow: the session says how it ends.
      if (metadata["page"] === page_mark.page && !isPaid(type)) return null;
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- signed: Stripe wrote it
      return reportOf(metadata, () => outcomeOfIntent(object as Stripe.PaymentIntent));
    default:
      return null;
  }
}

const isPaid = (type: string): boolean =>
  type === "payment_intent.succeeded" || type === "payment_intent.amount_capturable_updated";

/** Null for a charge without our metadata: other systems may charge on the same account. */
function reportOf(metadata: Readonly<Record<string, unknown>>, outcome: () => PspOutcome): WebhookReport {
  const attempt_id = storableText(metadata["attempt_id"], 64);
  if (attempt_id === undefined) return null;
  return {
    attempt_id,
    payment_order_id: storableText(metadata["payment_order_id"], 255) ?? null,
    outcome: withoutNextAction(outcome()),
  };
}

/**
 * The inbox stores neither the client secret nor the address of a next action, so a webhook cannot report an
 * action. It can report that the buyer has nothing left to do.
 */
function withoutNextAction(outcome: PspOutcome): PspOutcome {
  if (outcome.kind !== "pending" || outcome.next_action === null) return outcome;
  const { kind, psp_reference, references = [] } = outcome;
  return withReferences({ kind, psp_reference }, references);
}

function metadataOf(event: unknown): Readonly<Record<string, unknown>> {
  const metadata = field(field(field(event, "data"), "object"), "metadata");
  return typeof metadata === "object" && metadata !== null ? { ...metadata } : {};
}

function requiredText(event: unknown, name: string, length_max: number): string {
  const text = storableText(field(event, name), length_max);
  if (text !== undefined) return text;
  throw new AppError(
    "invalid_request",
    `The webhook is genuine, but its ${name} is not a text of 1 to ${length_max} characters.`,
    { param: name },
  );
}

/** A text that PostgreSQL can keep: within the length, without NUL and lone surrogates. */
function storableText(value: unknown, length_max: number): string | undefined {
  if (typeof value !== "string" || value === "" || value.length > length_max) return undefined;
  return value.includes("\0") || !value.isWellFormed() ? undefined : value;
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? Reflect.get(value, name)
    : undefined;
}

/** Undefined when it is not JSON. */
function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
