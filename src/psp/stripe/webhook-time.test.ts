import { createHmac } from "node:crypto";
import { expect, test } from "vitest";
import { createStripe } from "./stripe.ts";

const secret = "whsec_of_this_test";
const stripe = createStripe({
  name: "stripe",
  secret_key: "sk_test",
  webhook_secrets: [secret],
  timeout_ms: 1_000,
  connections_max: 1,
});
const body = JSON.stringify({
  id: "evt_1",
  object: "event",
  type: "payment_intent.succeeded",
  data: { object: { metadata: {} } },
});

function signatureAt(offset_seconds: number): string {
  const at = Math.floor(Date.now() / 1_000) + offset_seconds;
  return `t=${at},v1=${createHmac("sha256", secret).update(`${at}.${body}`).digest("hex")}`;
}

test.each([
  [-900, false],
  [-200, true],
  [0, true],
  [200, true],
  [900, false],
  [86_400, false],
])("a webhook signed %i s from now is taken: %s", (offset_seconds, isTaken) => {
  const verified = stripe.verifyWebhook(Buffer.from(body), {
    "stripe-signature": signatureAt(offset_seconds),
  });
  expect(verified !== undefined).toBe(isTaken);
});
