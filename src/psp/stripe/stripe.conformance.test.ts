import Stripe from "stripe";
import { simulatorKey, startTestSimulator } from "../../../test/support/simulator.ts";
import type { Bench, PspProfile } from "../../../test/conformance/bench.ts";
import { describePspConformance } from "../../../test/conformance/conformance.ts";
import { openReceiver } from "../../../test/conformance/receiver.ts";
import { createStripe } from "./stripe.ts";

const sdk = new Stripe("sk_test");

async function start(): Promise<Bench> {
  const [simulator, receiver] = await Promise.all([startTestSimulator(), openReceiver()]);
  const { url } = simulator;
  const endpoint = await new Stripe(simulatorKey, {
    host: url.hostname,
    port: url.port,
    protocol: "http",
    telemetry: false,
  }).webhookEndpoints.create({
    url: receiver.url.href,
    enabled_events: [
      "payment_intent.succeeded",
      "payment_intent.payment_failed",
      "payment_intent.amount_capturable_updated",
    ],
  });
  const secret = endpoint.secret ?? "";
  return {
    open: (changes = {}) =>
      createStripe({
        name: "stripe",
        secret_key: simulatorKey,
        webhook_secrets: [secret],
        api_base: url,
        timeout_ms: 1_000,
        connections_max: 20,
        ...changes,
      }),
    async chargesOf(payment_order_id) {
      const response = await fetch(
        new URL(`/_simulator/effects?payment_order_id=${encodeURIComponent(payment_order_id)}`, url),
      );
      return ((await response.json()) as { data: { amount_minor: number; currency: string }[] }).data;
    },
    setFaults: (faults) => simulator.setFaults(faults),
    webhooks: receiver.received,
    webhook_secret: secret,
    other_webhook_secret: "whsec_other",
    async stop() {
      await simulator.stop();
      await receiver.close();
    },
  };
}

const profile: PspProfile = {
  card: (name) => `tok_${name}`,
  hard_declines: [
    ["chargeDeclinedLostCard", "lost_card"],
    ["chargeDeclinedStolenCard", "stolen_card"],
    ["chargeDeclinedVelocityLimitExceeded", "card_velocity_exceeded"],
  ],
  transient_decline_code: "processing_error",
  amounts: [
    [1n, "USD", 1],
    [1_999n, "EUR", 1_999],
    [500n, "JPY", 500],
    [1_230n, "BHD", 1_230],
    [5n, "ISK", 500],
    [990n, "CLP", 990],
    [7n, "UGX", 700],
    [300n, "MGA", 3],
    [99_999_999n, "USD", 99_999_999],
  ],
  amounts_not_supported: [
    [1_234n, "BHD"],
    [150n, "MGA"],
    [100_000_000n, "USD"],
    [1_000_000n, "ISK"],
  ],
  inquiry: "succeeded",
  inquiry_unreachable: "unknown",
  operation_after_500: "known",
  faults: {},
  stale: ({ path, body, headers }, secret) => {
    const timestamp = Math.floor(Date.now() / 1_000) - 301;
    return {
      path,
      body,
      headers: {
        ...headers,
        "stripe-signature": sdk.webhooks.generateTestHeaderString({
          payload: body.toString("utf8"),
          secret,
          timestamp,
        }),
      },
    };
  },
};

describePspConformance("Stripe", start, profile);
