import type { Metadata } from "../records.ts";

/** As on Adyen's wire: an integer in Adyen's minor units, and an upper-case code. */
export interface Amount {
  currency: string;
  value: number;
}

export type ResultCode = "Authorised" | "Error" | "RedirectShopper" | "Refused";

/** A payment, in the form it is stored in. */
export interface PaymentRecord {
  psp_reference: string;
  reference: string;
  amount: Amount;
  card: string;
  metadata: Metadata;
  result_code: ResultCode;
  refusal?: Refusal;
}

/** Adyen's refusal reason (https://docs.adyen.com/development-resources/refusal-reasons). */
export interface Refusal {
  code: string;
  reason: string;
}

/** One item of a notification, without its signature. */
export interface NotificationItem {
  additionalData: Record<string, string>;
  amount: Amount;
  eventCode: "AUTHORISATION";
  eventDate: string;
  merchantAccountCode: string;
  merchantReference: string;
  operations?: readonly string[];
  paymentMethod: string;
  pspReference: string;
  reason: string;
  success: "false" | "true";
}

export interface Notification {
  id: string;
  item: NotificationItem;
}

/** Everything one request leaves behind, written in one transaction. */
export interface Operation {
  key: string | null;
  status: number;
  /** The body, as JSON text. */
  answer: string;
  payment?: { record: PaymentRecord; is_new: boolean };
  /** The payment moved money. */
  is_charged: boolean;
  once_fault?: string;
  notification?: Notification;
}
