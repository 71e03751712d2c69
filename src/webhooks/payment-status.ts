import { Webhook, WebhookVerificationError } from "standardwebhooks";

/** The name under which the generic form is kept in the inbox. */
export const paymentStatusPsp = "payment-status";

/** The generic form for PSPs without an adapter (R144); its `signature` field proves nothing. */
export type PaymentStatus = {
  readonly token: string;
  readonly status: "success" | "failed" | "pending";
  readonly payment_order_id: string;
  readonly error?: string;
};

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** Gives the event id of a genuine message (Standard Webhooks, at most 300 s old), undefined for any other. */
export type PaymentStatusVerifier = (body: Buffer, headers: Headers) => string | undefined;

/** `secrets` are `whsec_` + base64; two while one is being replaced; none: every message is refused. */
export function createPaymentStatusVerifier(secrets: readonly string[]): PaymentStatusVerifier {
  const webhooks = secrets.map((secret) => new Webhook(secret));
  return (body, headers) => {
    const plain: Record<string, string> = {};
    for (const name of ["webhook-id", "webhook-timestamp", "webhook-signature"]) {
      const value = headers[name];
      if (typeof value !== "string") return undefined;
      plain[name] = value;
    }
    return webhooks.some((webhook) => isGenuine(webhook, body, plain)) ? plain["webhook-id"] : undefined;
  };
}

function isGenuine(webhook: Webhook, body: Buffer, headers: Record<string, string>): boolean {
  try {
    webhook.verify(body, headers);
    return true;
  } catch (error) {
    if (error instanceof WebhookVerificationError) return false;
    // The library reads the body once the signature fits: genuine, but not JSON.
    if (error instanceof SyntaxError) return true;
    throw error;
  }
}

/** The fields of a verified body, or why it is malformed (the field's name). */
export function readPaymentStatus(body: string): PaymentStatus | { readonly malformed: string } {
  let fields: unknown;
  try {
    fields = JSON.parse(body);
  } catch (error) {
    if (error instanceof SyntaxError) return { malformed: "body" };
    throw error;
  }
  if (typeof fields !== "object" || fields === null) return { malformed: "body" };
  const { token, status, payment_order_id, error }: { token?: unknown; status?: unknown; payment_order_id?: unknown; error?: unknown } = fields;
  if (typeof token !== "string" || token.length < 1 || token.length > 255) return { malformed: "token" };
  if (typeof payment_order_id !== "string" || payment_order_id.length < 1 || payment_order_id.length > 255) return { malformed: "payment_order_id" };
  if (status !== "success" && status !== "failed" && status !== "pending") return { malformed: "status" };
  if (error !== undefined && error !== null && typeof error !== "string") return { malformed: "error" };
  if (holdsNul(token)) return { malformed: "token" };
  if (holdsNul(payment_order_id)) return { malformed: "payment_order_id" };
  if (typeof error === "string" && holdsNul(error)) return { malformed: "error" };
  return { token, status, payment_order_id, ...(typeof error === "string" && error !== "" ? { error: error.slice(0, 64) } : {}) };
}

/** PostgreSQL holds every character but this one. */
const holdsNul = (text: string): boolean => text.includes("\0");
