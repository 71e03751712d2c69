import { createHmac } from "node:crypto";
import { cardNamed } from "../cards.ts";
import { newId } from "../ids.ts";
import type { Notification, NotificationItem, PaymentRecord } from "./records.ts";

/** Adyen's names of card brands, where they differ from Stripe's. */
const BRANDS: ReadonlyMap<string, string> = new Map([["mastercard", "mc"], ["unionpay", "cup"]]);

/** The AUTHORISATION event of a payment that is decided. */
export function notificationOf(
  record: PaymentRecord,
  { merchant_account, now_ms }: { merchant_account: string; now_ms: number },
): Notification {
  const { brand, number } = cardNamed(record.card);
  const isAuthorised = record.result_code === "Authorised";
  const metadata = Object.entries(record.metadata).map(([key, value]): [string, string] => [`metadata.${key}`, value]);
  return {
    id: newId("ntf", now_ms),
    item: {
      additionalData: Object.fromEntries(metadata), amount: record.amount, eventCode: "AUTHORISATION",
      eventDate: new Date(now_ms).toISOString(), merchantAccountCode: merchant_account,
      merchantReference: record.reference, ...(isAuthorised ? { operations: ["CANCEL", "CAPTURE", "REFUND"] } : {}),
      paymentMethod: BRANDS.get(brand) ?? brand, pspReference: record.psp_reference,
      reason: record.refusal?.reason ?? `012345:${number.slice(-4)}:12/2034`, success: isAuthorised ? "true" : "false",
    },
  };
}

/** Adyen's signature: over eight fields of the item, not over the bytes of the body. */
export function signatureOf(item: NotificationItem, hmacKey: string): string {
  const originalReference = "";
  const signed = [
    item.pspReference, originalReference, item.merchantAccountCode, item.merchantReference, item.amount.value,
    item.amount.currency, item.eventCode, item.success,
  ].join(":");
  return createHmac("sha256", Buffer.from(hmacKey, "hex")).update(signed, "utf8").digest("base64");
}

/** The body of a notification: in JSON it always holds one item. */
export function signedBody(item: NotificationItem, hmacKey: string): string {
  const additionalData = { ...item.additionalData, hmacSignature: signatureOf(item, hmacKey) };
  return JSON.stringify({
    live: "false", notificationItems: [{ NotificationRequestItem: { ...item, additionalData } }],
  });
}
