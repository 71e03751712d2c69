import { join } from "node:path";
import { createTestDatabase } from "../../../test/support/database.ts";
import { ChildProcess } from "../../cli/child-process.ts";
import type { Bench, PspProfile } from "../../../test/conformance/bench.ts";
import { describePspConformance } from "../../../test/conformance/conformance.ts";
import { openReceiver } from "../../../test/conformance/receiver.ts";
import { createAdyen } from "./adyen.ts";

const secret_key = "adyen_test_key";
const merchant_account = "PacioliTest";
const hmac_key = "A1".repeat(32);
const other_hmac_key = "B2".repeat(32);

async function start(): Promise<Bench> {
  const [db, receiver] = await Promise.all([createTestDatabase(), openReceiver(200, "[accepted]")]);
  const simulator = new ChildProcess({
    name: "simulator",
    script: join(import.meta.dirname, "../../../simulator/src/main.ts"),
    arguments: [],
    ready_event: "simulator_ready",
    environment: {
      SIMULATOR_DATABASE_URL: `${db.url}_simulator`,
      SIMULATOR_PORT: "0",
      SIMULATOR_ADYEN_API_KEY: secret_key,
      SIMULATOR_ADYEN_MERCHANT_ACCOUNT: merchant_account,
      SIMULATOR_ADYEN_WEBHOOK_URL: receiver.url.href,
      SIMULATOR_ADYEN_HMAC_KEY: hmac_key,
    },
  });
  const url = new URL(await simulator.start());
  return {
    open: (changes = {}) =>
      createAdyen({
        name: "adyen",
        has_multiple_partial_captures: true,
        secret_key,
        merchant_account,
        webhook_secrets: [hmac_key],
        api_base: new URL("/adyen", url),
        return_url: "https://shop.example/return",
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
    async setFaults(faults) {
      await fetch(new URL("/_simulator/faults", url), { method: "POST", body: JSON.stringify(faults) });
    },
    webhooks: receiver.received,
    webhook_secret: hmac_key,
    other_webhook_secret: other_hmac_key,
    async stop() {
      await simulator.stop();
      await receiver.close();
      await db.drop();
    },
  };
}

// An inquiry is the repetition under the same key: Adyen has no call that only asks.
const asked = { found: "not_found" };
const profile: PspProfile = {
  card: (name) => `shopper-1/tok_${name}`,
  hard_declines: [
    ["chargeDeclinedLostCard", "blocked_card"],
    ["chargeDeclinedStolenCard", "blocked_card"],
    ["chargeDeclinedVelocityLimitExceeded", "withdrawal_amount_exceeded"],
  ],
  transient_decline_code: "acquirer_error",
  amounts: [
    [1n, "USD", 1],
    [1_999n, "EUR", 1_999],
    [500n, "JPY", 500],
    [1_234n, "BHD", 1_234],
    [5n, "ISK", 500],
    [990n, "CLP", 99_000],
    [2_500n, "CVE", 25],
    [1_500_000n, "IDR", 15_000],
    [7n, "UGX", 7],
    [9_007_199_254_740_991n, "USD", Number.MAX_SAFE_INTEGER],
  ],
  amounts_not_supported: [
    [2_550n, "CVE"],
    [1n, "IDR"],
    [9_007_199_254_740_992n, "USD"],
    [90_071_992_547_410n, "ISK"],
    [100n, "MGA"],
  ],
  inquiry: "not_found",
  inquiry_unreachable: "not_found",
  operation_after_500: "unknown",
  faults: {
    timeout_after_charge: asked,
    disconnect_after_charge: asked,
    "500_after_charge": asked,
    truncated: asked,
    slow: asked,
  },
  stale: null,
};

describePspConformance("Adyen", start, profile);
