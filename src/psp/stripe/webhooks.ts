import Stripe from "stripe";
import { now } from "../../clock.ts";
import type { PspOutcome, VerifiedWebhook, WebhookHeaders, WebhookNews } from "../port.ts";
import { outcomeOfIntent } from "./outcomes.ts";
import { outcomeOfSession, page_mark } from "./pages.ts";

/** A webhook older or newer than this is refused. */
const tolerance_seconds = 300;

/** Verifies by the SDK, against each secret. */
export function verifyWebhook(stripe: Stripe, secrets: readonly string[], body: Buffer, headers: WebhookHeaders): VerifiedWebhook | undefined {
  const signature = headers["stripe-signature"];
  if (typeof signature !== "string" || isFromTheFuture(signature)) return undefined;
  for (const secret of secrets) {
    try {
      const event = stripe.webhooks.constructEvent(body, signature, secret, tolerance_seconds);
      const metadata = metadataOf(event);
      return {
        psp_event_id: event.id,
        type: event.type,
        attempt_id: metadata["attempt_id"] ?? null,
        payment_order_id: metadata["payment_order_id"] ?? null,
      };
    } catch (error) {
      // Another secret may fit; whatever else is wrong with the message, it is not to be trusted.
      if (!(error instanceof Stripe.errors.StripeSignatureVerificationError) && !(error instanceof SyntaxError)) throw error;
    }
  }
  return undefined;
}

/** The SDK refuses old signatures only; one that is dated ahead could be replayed for as long as it likes. */
function isFromTheFuture(signature: string): boolean {
  const signed_at = Number(/(?:^|,)t=(\d+)/.exec(signature)?.[1]);
  return signed_at > now().getTime() / 1_000 + tolerance_seconds;
}

function metadataOf(event: Stripe.Event): Record<string, string> {
  const { object } = event.data;
  return "metadata" in object ? object.metadata ?? {} : {};
}

/** The events that say what became of a charge (https://docs.stripe.com/api/events/types). */
export function readWebhook(body: string): WebhookNews {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the signature says that Stripe wrote it
  const event = JSON.parse(body) as Stripe.Event;
  switch (event.type) {
    case "checkout.session.completed":
    case "checkout.session.expired":
      return newsOf(event, outcomeOfSession(event.data.object));
    case "payment_intent.succeeded":
    case "payment_intent.amount_capturable_updated":
      return newsOf(event, outcomeOfIntent(event.data.object));
    case "payment_intent.processing":
    case "payment_intent.requires_action":
    case "payment_intent.payment_failed":
    case "payment_intent.canceled":
      // On a page a card may fail and another one follow: the session says how it ends.
      return metadataOf(event)["page"] === page_mark.page ? null : newsOf(event, outcomeOfIntent(event.data.object));
    default:
      return null;
  }
}

function newsOf(event: Stripe.Event, outcome: PspOutcome): WebhookNews {
  const metadata = metadataOf(event);
  return { attempt_id: metadata["attempt_id"] ?? null, payment_order_id: metadata["payment_order_id"] ?? null, outcome };
}
