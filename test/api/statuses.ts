import { randomBytes } from "node:crypto";
import { Webhook } from "standardwebhooks";
import type { Reply, TestStack } from "../support/stack.ts";
import { nowSeconds } from "./stripe-events.ts";
import { postBytes } from "./requests.ts";

export const newSecret = (): string => `whsec_${randomBytes(24).toString("base64")}`;

/** Settings of external accounts, beside the account of Stripe's own settings. */
export function externalAccounts(
  secrets: Readonly<Record<string, string>>,
  more: Readonly<Record<string, unknown>> = {},
): Record<string, string> {
  const accounts = Object.keys(secrets).map((name) => ({
    name,
    kind: "external",
    webhook_secrets_env: `${name.toUpperCase()}_SECRETS`,
    ...more,
  }));
  return {
    PSP_ACCOUNTS: JSON.stringify(accounts),
    ...Object.fromEntries(
      Object.entries(secrets).map(([name, secret]) => [`${name.toUpperCase()}_SECRETS`, secret]),
    ),
  };
}

/** The headers of Standard Webhooks. */
export function statusHeaders(
  body: string,
  secret: string,
  options: { id?: string; time?: Date } = {},
): Record<string, string> {
  const { id = `msg_${randomBytes(8).toString("hex")}`, time = new Date() } = options;
  return {
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(time.getTime() / 1_000)),
    "webhook-signature": new Webhook(secret).sign(id, time, body),
  };
}

export const statusBody = (fields: Readonly<Record<string, unknown>>): string =>
  JSON.stringify({
    psp: "cash",
    payment_order_id: "x",
    status: "success",
    amount: "29.99",
    currency: "USD",
    reference: "receipt-1",
    timestamp: nowSeconds(),
    signature: "proves nothing",
    ...fields,
  });

export const sendStatus = (
  stack: TestStack,
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string>,
): Promise<Reply> =>
  postBytes(stack, "/api/v1/webhooks/payment-status", body, {
    authorization: "",
    "content-type": "application/json",
    ...headers,
  });
