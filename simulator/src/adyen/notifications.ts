import { createHmac } from "node:crypto";
import { cardNamed } from "../cards.ts";
import { newId } from "../ids.ts";
import type { Amount, Notification, NotificationItem, PaymentRecord } from "./records.ts";

/** Adyen's names of card brands, where they differ from Stripe's. */
const BRANDS: ReadonlyMap<string, string> = new Map([
  ["mastercard", "mc"],
  ["unionpay", "cup"],
]);

interface Sender {
  merchant_account: string;
  now_ms: number;
}

function brandOf(card: string): string {
  const { brand } = cardNamed(card);
  return BRANDS.get(brand) ?? brand;
}

/** The AUTHORISATION event of a payment that is decided. */
export function notificationOf(record: PaymentRecord, { merchant_account, now_ms }: Sender): Notification {
  const { number } = cardNamed(record.card);
  const isAuthorised = record.result_code === "Authorised";
  const metadata = Object.entries(record.metadata).map(([key, value]): [string, string] => [
    `metadata.${key}`,
    value,
  ]);
  return {
    id: newId("ntf", now_ms),
    item: {
      additionalData: Object.fromEntries(metadata),
      amount: record.amount,
      eventCode: "AUTHORISATION",
      eventDate: new Date(now_ms).toISOString(),
      merchantAccountCode: merchant_account,
      merchantReference: record.reference,
      ...(isAuthorised ? { operations: ["CANCEL", "CAPTURE", "REFUND"] } : {}),
      paymentMethod: brandOf(record.card),
      pspReference: record.psp_reference,
      reason: record.refusal?.reason ?? `012345:${number.slice(-4)}:12/2034`,
      success: isAuthorised ? "true" : "false",
    },
  };
}

/** How a capture or a cancel of a payment came out; `failure` is why it did not happen. */
export interface ModificationOutcome {
  kind: "cancel" | "capture";
  psp_reference: string;
  reference: string | undefined;
  amount: Amount;
  failure: string | null;
}

/** The CAPTURE or CANCELLATION event of a modification. */
export function modificationNotification(
  payment: PaymentRecord,
  { kind, psp_reference, reference, amount, failure }: ModificationOutcome,
  { merchant_account, now_ms }: Sender,
): Notification {
  return {
    id: newId("ntf", now_ms),
    item: {
      additionalData: {},
      amount,
      eventCode: kind === "capture" ? "CAPTURE" : "CANCELLATION",
      eventDate: new Date(now_ms).toISOString(),
      merchantAccountCode: merchant_account,
      merchantReference: reference ?? payment.reference,
      originalReference: payment.psp_reference,
      paymentMethod: brandOf(payment.card),
      pspReference: psp_reference,
      reason: failure ?? "",
      success: failure === null ? "true" : "false",
    },
  };
}

/** Adyen's signature: over eight fields of the item, not over the bytes of the body. */
export function signatureOf(item: NotificationItem, hmacKey: string): string {
  const signed = [
    item.pspReference,
    item.originalReference ?? "",
    item.merchantAccountCode,
    item.merchantReference,
    item.amount.value,
    item.amount.currency,
    item.eventCode,
    item.success,
  ].join(":");
  return createHmac("sha256", Buffer.from(hmacKey, "hex")).update(signed, "utf8").digest("base64");
}

/** The body of a notification: in JSON it always holds one item. */
export function signedBody(item: NotificationItem, hmacKey: string): string {
  const additionalData = { ...item.additionalData, hmacSignature: signatureOf(item, hmacKey) };
  return JSON.stringify({
    live: "false",
    notificationItems: [{ NotificationRequestItem: { ...item, additionalData } }],
  });
}
