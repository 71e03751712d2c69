/** The Stripe adapter, on the official SDK. */
import Stripe from "stripe";
import type { Money } from "../../money/money.ts";
import { PspHttpClient } from "../http-client.ts";
import type { InquiryOutcome, PspOutcome } from "../port-outcomes.ts";
import type { ChargeRequest, Inquiry, Psp } from "../port.ts";
import { toStripeAmount } from "./amounts.ts";
import { StripeHttpClient } from "./http-client.ts";
import { operate } from "./operations.ts";
import { isStoredFailure, outcomeOfError, outcomeOfIntent, storedFailure } from "./outcomes.ts";
import { inquirePage, registerPage } from "./pages.ts";
import { readWebhook, verifyWebhook } from "./webhooks.ts";

type SentBetween = NonNullable<Inquiry["sent_between"]>;

export type StripeOptions = {
  readonly name: string;
  readonly secret_key: string;
  /** Signing secrets of the webhook endpoint; two while one is being replaced. */
  readonly webhook_secrets: readonly string[];
  /** Where the API is, when it is not Stripe's own (the simulator). */
  readonly api_base?: URL;
  readonly timeout_ms: number;
  readonly connections_max: number;
};

/**
 * Stripe forgets a key 24 hours after its first use at the earliest
 * (https://docs.stripe.com/api/idempotent_requests).
 */
const key_seconds = 23 * 3_600;
/** How far Stripe's clock may differ from ours. */
const clock_difference_seconds = 300;
/** A hundred pages; a busier account leaves the question to a person. */
const intents_searched_max = 10_000;

/** Errors of the SDK become outcomes; it never retries by itself, so that each try is an attempt of ours. */
export function createStripe(options: StripeOptions): Psp {
  const base = options.api_base ?? new URL("https://api.stripe.com");
  const isPlain = base.protocol === "http:";
  const default_port = isPlain ? 80 : 443;
  const stripe = new Stripe(options.secret_key, {
    maxNetworkRetries: 0,
    timeout: options.timeout_ms,
    telemetry: false,
    httpClient: new StripeHttpClient(
      new PspHttpClient({ origin: base.origin, connections_max: options.connections_max }),
    ),
    protocol: isPlain ? "http" : "https",
    host: base.hostname,
    port: base.port === "" ? default_port : base.port,
  });
  return {
    name: options.name,
    refusalOfAmount,
    key_seconds,
    charge: (request) => charge(stripe, request),
    pages: { register: (request) => registerPage(stripe, request) },
    inquire: (inquiry) => inquire(stripe, inquiry),
    releases_rest: true,
    operate: (request) => operate(stripe, request),
    verifyWebhook: (body, headers) => verifyWebhook(options.webhook_secrets, body, headers),
    readWebhook,
  };
}

function refusalOfAmount(money: Money): string | null {
  const converted = toStripeAmount(money);
  return converted.ok ? null : converted.reason;
}

async function charge(stripe: Stripe, request: ChargeRequest): Promise<PspOutcome> {
  const converted = toStripeAmount(request.money);
  if (!converted.ok) {
    return {
      kind: "not_sent",
      failure: { class: "invalid_request", code: "amount_not_supported", message: converted.reason },
      no_call_made: true,
    };
  }
  try {
    const intent = await withoutStackTrace(() =>
      stripe.paymentIntents.create(
        {
          amount: converted.amount,
          currency: request.money.currency.toLowerCase(),
          confirm: true,
          ...redirectParams(request),
          ...cardOf(request.card_token),
          ...captureParams(request),
          metadata: metadataFor(request),
        },
        { idempotencyKey: request.psp_key },
      ),
    );
    return outcomeOfIntent(intent);
  } catch (error) {
    return isStoredFailure(error) ? storedFailure : outcomeOfError(error);
  }
}

/**
 * The SDK formats the stack of its caller at every call, for errors that become values here: 70 of the
 * 210 µs that a charge took. It does so before its first await, so nobody else misses a stack.
 */
function withoutStackTrace<Result>(call: () => Promise<Result>): Promise<Result> {
  const frames_max = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return call();
  } finally {
    Error.stackTraceLimit = frames_max;
  }
}

/**
 * For a card that must be confirmed: with a return URL Stripe gives an address at the bank, otherwise a step
 * for its library.
 */
function redirectParams({ return_url }: ChargeRequest): Partial<Stripe.PaymentIntentCreateParams> {
  if (return_url === null) return { automatic_payment_methods: { enabled: true, allow_redirects: "never" } };
  return { allowed_payment_method_types: ["card"], return_url };
}

/** For an authorisation: whether it may be captured in parts, and until when, which the charge shows. */
function captureParams({ capture_method }: ChargeRequest): Partial<Stripe.PaymentIntentCreateParams> {
  if (capture_method === "automatic") return {};
  return {
    capture_method,
    payment_method_options: { card: { request_multicapture: "if_available" } },
    expand: ["latest_charge"],
  };
}

/**
 * Stripe takes values of at most 500 characters; the attempt's id is what finds the charge again, the others
 * are for people.
 */
function metadataFor(request: ChargeRequest): Record<string, string> {
  const { attempt_id, checkout_id, payment_order_id } = request;
  const fits = (value: string | null): value is string => value !== null && value.length <= 500;
  return {
    attempt_id,
    ...(fits(checkout_id) ? { checkout_id } : {}),
    ...(fits(payment_order_id) ? { payment_order_id } : {}),
  };
}

function cardOf(
  token: string,
): Pick<Stripe.PaymentIntentCreateParams, "payment_method" | "payment_method_data"> {
  if (!token.startsWith("tok_")) return { payment_method: token };
  // Stripe takes a card token here (https://docs.stripe.com/payments/accept-a-payment-charges); the SDK's
  // type leaves it out.
  const card = { type: "card" as const, card: { token } };
  return { payment_method_data: card };
}

/**
 * Finds the charge by Stripe's own id if we have it, otherwise by the attempt id that we sent as metadata;
 * for a proof also by time.
 */
async function inquire(stripe: Stripe, inquiry: Inquiry): Promise<InquiryOutcome> {
  if (inquiry.page_token !== null) return inquirePage(stripe, inquiry.page_token);
  try {
    if (inquiry.psp_reference !== null)
      return outcomeOfIntent(
        await stripe.paymentIntents.retrieve(inquiry.psp_reference, { expand: ["latest_charge"] }),
      );
    const found = await stripe.paymentIntents.search({
      query: `metadata['attempt_id']:'${inquiry.attempt_id}'`,
      limit: 1,
    });
    const [intent] = found.data;
    if (intent !== undefined) return outcomeOfIntent(intent);
    if (inquiry.sent_between === undefined) return { kind: "not_found" };
    return await findByTime(stripe, inquiry.attempt_id, inquiry.sent_between);
  } catch (error) {
    const outcome = outcomeOfError(error);
    // An inquiry that was not sent says nothing about the charge.
    return outcome.kind === "not_sent" ? { kind: "unknown", reason: outcome.failure.message } : outcome;
  }
}

/**
 * Reads every intent made while requests of the attempt were sent. Unlike the search, the list is always up
 * to date.
 */
async function findByTime(
  stripe: Stripe,
  attempt_id: string,
  { first, last }: SentBetween,
): Promise<InquiryOutcome> {
  const gte = Math.floor(first.getTime() / 1_000) - clock_difference_seconds;
  const lte = Math.ceil(last.getTime() / 1_000) + clock_difference_seconds;
  let seen = 0;
  for await (const intent of stripe.paymentIntents.list({ created: { gte, lte }, limit: 100 })) {
    if (intent.metadata["attempt_id"] === attempt_id) return outcomeOfIntent(intent);
    seen += 1;
    if (seen === intents_searched_max) {
      return {
        kind: "unknown",
        reason: `It is not among the ${seen} newest payments of that time at the PSP.`,
        no_call_made: true,
      };
    }
  }
  return { kind: "absent" };
}
