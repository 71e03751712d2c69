import type { EffectRecord, Metadata } from "../records.ts";

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
  /** Authorised first: money moves with its captures only. */
  manual_capture?: boolean;
  /** The sum of its captures, in Adyen's minor units. */
  captured_value?: number;
  is_canceled?: boolean;
}

/** A payment as it was read, or as it will be written when the version before is still the stored one. */
export interface VersionedPayment {
  record: PaymentRecord;
  /** 1 at creation, one more at each change. */
  version: number;
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
  eventCode: "AUTHORISATION" | "CAPTURE" | "CANCELLATION";
  eventDate: string;
  merchantAccountCode: string;
  merchantReference: string;
  operations?: readonly string[];
  /** The payment that a capture or a cancel is about. */
  originalReference?: string;
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
  payment?: VersionedPayment;
  /** The money that moves. */
  effect?: Omit<EffectRecord, "created_ms">;
  once_fault?: string;
  notification?: Notification;
}
