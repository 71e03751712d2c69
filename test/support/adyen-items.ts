import { hmacValidator } from "@adyen/api-library";
import { createAdyen } from "../../src/psp/adyen/adyen.ts";
import type { Psp } from "../../src/psp/port.ts";

export const keys = ["A1".repeat(32), "b2".repeat(32)] as const;
export const openAdyen = (webhook_secrets: readonly string[] = keys): Psp =>
  createAdyen({
    name: "adyen",
    secret_key: "key",
    merchant_account: "Shop",
    has_multiple_partial_captures: true,
    webhook_secrets,
    return_url: "https://shop.example/return",
    timeout_ms: 1_000,
    connections_max: 1,
  });

export type Fields = Record<string, unknown>;
export const genuineItem: Fields = {
  additionalData: { "metadata.payment_order_id": "order-1" },
  amount: { value: 1_999, currency: "USD" },
  eventCode: "AUTHORISATION",
  eventDate: "2026-01-01T12:00:00+01:00",
  merchantAccountCode: "Shop",
  merchantReference: "att_1",
  operations: ["CANCEL", "CAPTURE", "REFUND"],
  paymentMethod: "visa",
  pspReference: "8835551234567890",
  reason: "012345:1111:12/2034",
  success: "true",
};
export const bodyOf = (...items: readonly Fields[]): string =>
  JSON.stringify({
    live: "false",
    notificationItems: items.map((item) => ({ NotificationRequestItem: item })),
  });
/** The item signed by Adyen's library. */
export function signed(changes: Fields = {}, key: string = keys[1]): Fields {
  const item = { ...genuineItem, ...changes };
  const hmacSignature = new hmacValidator().calculateHmac(item as never, key);
  return { ...item, additionalData: { ...(genuineItem["additionalData"] as Fields), hmacSignature } };
}

export const reportIn = (changes: Fields): unknown =>
  openAdyen().readWebhook(bodyOf(signed(changes)), "automatic");
