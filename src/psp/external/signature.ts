import { isUtf8 } from "node:buffer";
import { Webhook, WebhookVerificationError } from "standardwebhooks";
import { AppError } from "../../errors.ts";
import type { WebhookHeaders } from "../port-webhooks.ts";

const id_length_max = 255;

/**
 * Gives the id of a genuine message (Standard Webhooks, at most 300 s old or ahead), undefined for any other.
 */
export type Verifier = (body: Buffer, headers: WebhookHeaders) => string | undefined;

/**
 * Without secrets every message is refused. Errors of the verifier: `invalid_request` for a genuine message
 * whose id is too long.
 */
export function createVerifier(secrets: readonly string[]): Verifier {
  const webhooks = secrets.map((secret) => new Webhook(secret));
  return (body, headers) => {
    const id = headers["webhook-id"];
    const time = headers["webhook-timestamp"];
    const signature = headers["webhook-signature"];
    if (typeof id !== "string" || typeof time !== "string" || typeof signature !== "string") return undefined;
    // The library parses only the leading digits of a time, and decodes the body, so different bytes could
    // have the same signature.
    if (!/^\d{1,12}$/.test(time) || !isUtf8(body)) return undefined;
    const signed = { "webhook-id": id, "webhook-timestamp": time, "webhook-signature": signature };
    if (!webhooks.some((webhook) => isGenuine(webhook, body, signed))) return undefined;
    if (id.length <= id_length_max) return id;
    throw new AppError("invalid_request", `The webhook-id is longer than ${id_length_max} characters.`, {
      param: "webhook-id",
    });
  };
}

function isGenuine(webhook: Webhook, body: Buffer, headers: Record<string, string>): boolean {
  try {
    webhook.verify(body, headers, { jsonParse: false });
    return true;
  } catch (error) {
    if (error instanceof WebhookVerificationError) return false;
    throw error;
  }
}
