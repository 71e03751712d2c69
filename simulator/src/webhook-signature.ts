import { createHmac } from "node:crypto";

/** Stripe's `Stripe-Signature` header for these bytes, sent at this Unix time in seconds. */
export function signatureHeader(body: string, secret: string, timeSeconds: number): string {
  const signature = createHmac("sha256", secret).update(`${timeSeconds}.${body}`).digest("hex");
  return `t=${timeSeconds},v1=${signature}`;
}
