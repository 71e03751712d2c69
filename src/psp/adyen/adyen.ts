/** The Adyen adapter, on the official library: Checkout API v72, cards stored at Adyen. */
import type { Money } from "../../money/money.ts";
import { PspHttpClient } from "../http-client.ts";
import type { InquiryOutcome, PspOutcome } from "../port-outcomes.ts";
import type { ChargeRequest, Psp } from "../port.ts";
import { toAdyenAmount } from "./amounts.ts";
import { AdyenHttpClient } from "./http-client.ts";
import {
  CardDetails,
  Client,
  EnvironmentEnum,
  ModificationsApi,
  PaymentRequest,
  PaymentsApi,
} from "./library.ts";
import { operate } from "./operations.ts";
import { outcomeOfError, outcomeOfPayment } from "./outcomes.ts";
import { readWebhook, verifyWebhook } from "./webhooks.ts";

export type AdyenOptions = {
  readonly name: string;
  /** The API key. */
  readonly secret_key: string;
  readonly merchant_account: string;
  /** Hexadecimal keys of the webhook endpoint; two while one is being replaced. */
  readonly webhook_secrets: readonly string[];
  /** The company's prefix of live endpoints; without it calls go to Adyen's test platform. */
  readonly live_endpoint_prefix?: string;
  /** Where the API is, when it is not at Adyen (the simulator: its URL with the path /adyen). */
  readonly api_base?: URL;
  /** Whether Adyen has enabled multiple partial captures; without it what a capture leaves is canceled. */
  readonly has_multiple_partial_captures: boolean;
  /** Adyen wants to know where a buyer would come back to, for every payment. */
  readonly return_url: string;
  readonly timeout_ms: number;
  readonly connections_max: number;
};

/**
 * Adyen keeps idempotency keys for at least seven days; a request repeated later would be carried out again.
 */
const key_seconds = 6 * 86_400;

/**
 * Every result of a call is an outcome. Nothing is retried here: retries are up to the executor. Throws if a
 * webhook key is malformed.
 */
export function createAdyen(options: AdyenOptions): Psp {
  // The library treats a key that is not hexadecimal as empty, and anybody can sign with an empty key.
  if (options.webhook_secrets.some((key) => !/^([0-9A-Fa-f]{2}){16,}$/.test(key))) {
    throw new Error(`${options.name}: a webhook key must be a hexadecimal number of at least 32 digits`);
  }
  const client = openClient(options);
  const payments = new PaymentsApi(client);
  const operations = new ModificationsApi(client);
  return {
    name: options.name,
    refusalOfAmount,
    key_seconds,
    charge: (request) => charge(payments, options, request),
    pages: null,
    inquire,
    releases_rest: !options.has_multiple_partial_captures,
    operate: (request) => operate(operations, options, request),
    verifyWebhook: (body) => verifyWebhook(body, options.webhook_secrets),
    readWebhook,
  };
}

function openClient({
  secret_key,
  live_endpoint_prefix,
  api_base,
  timeout_ms,
  connections_max,
}: AdyenOptions): InstanceType<typeof Client> {
  const isLive = live_endpoint_prefix !== undefined;
  const host = isLive ? `${live_endpoint_prefix}-checkout-live.adyenpayments.com` : "checkout-test.adyen.com";
  const base = api_base ?? new URL(`https://${host}`);
  const http = new AdyenHttpClient(new PspHttpClient({ origin: base.origin, connections_max }), {
    path_prefix: base.pathname.replace(/\/$/, ""),
    timeout_ms,
  });
  const environment = isLive ? EnvironmentEnum.LIVE : EnvironmentEnum.TEST;
  const prefix = isLive ? { liveEndpointUrlPrefix: live_endpoint_prefix } : {};
  return new Client({ apiKey: secret_key, environment, ...prefix }, http);
}

function refusalOfAmount(money: Money): string | null {
  const converted = toAdyenAmount(money);
  return converted.ok ? null : converted.reason;
}

async function charge(api: PaymentsApi, options: AdyenOptions, request: ChargeRequest): Promise<PspOutcome> {
  const converted = toAdyenAmount(request.money);
  if (!converted.ok) {
    return {
      kind: "not_sent",
      failure: { class: "invalid_request", code: "amount_not_supported", message: converted.reason },
      no_call_made: true,
    };
  }
  try {
    const payment = await api.payments(
      {
        merchantAccount: options.merchant_account,
        reference: request.attempt_id,
        amount: converted.amount,
        ...cardOf(request.card_token),
        // Whatever the account's own delay is.
        ...(request.capture_method === "automatic"
          ? { captureDelayHours: 0 }
          : { additionalData: { manualCapture: "true" } }),
        shopperInteraction: PaymentRequest.ShopperInteractionEnum.ContAuth,
        recurringProcessingModel: PaymentRequest.RecurringProcessingModelEnum.CardOnFile,
        returnUrl: options.return_url,
        metadata: metadataFor(request),
      },
      { idempotencyKey: request.psp_key },
    );
    return outcomeOfPayment(payment, request);
  } catch (error) {
    return outcomeOfError(error);
  }
}

/**
 * `shopperReference/storedPaymentMethodId`: Adyen finds a stored card by both. Without a slash it is the
 * latter alone.
 */
function cardOf(token: string): Pick<PaymentRequest, "paymentMethod" | "shopperReference"> {
  const slash = token.lastIndexOf("/");
  const paymentMethod = { type: CardDetails.TypeEnum.Scheme, storedPaymentMethodId: token.slice(slash + 1) };
  return { paymentMethod, ...(slash < 0 ? {} : { shopperReference: token.slice(0, slash) }) };
}

/** For people; Adyen takes values of at most 80 characters. The reference is what finds the charge again. */
function metadataFor({ checkout_id, payment_order_id }: ChargeRequest): Record<string, string> {
  const fits = (value: string | null): value is string => value !== null && value.length <= 80;
  return {
    ...(fits(checkout_id) ? { checkout_id } : {}),
    ...(fits(payment_order_id) ? { payment_order_id } : {}),
  };
}

/**
 * Adyen has no call that only asks. What tells is the same request under the same key, which gives the first
 * answer again; "not found" makes the executor send it, as long as Adyen is certain to keep the key. It has
 * no list either, so an attempt that stays unknown for longer waits for a webhook or a person.
 */
function inquire(): Promise<InquiryOutcome> {
  return Promise.resolve({ kind: "not_found" });
}
