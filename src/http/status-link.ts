import { createHmac, timingSafeEqual } from "node:crypto";
import { AppError } from "../errors.ts";

type LinkedCheckout = { readonly checkout_id: string; readonly created_at: string };
type LinkSettings = { readonly secret_key: string; readonly status_link_seconds: number };

/**
 * The address of a buyer's status page, relative to the host. Its expiry is counted from the checkout's
 * creation, so that a repeated POST gets the same link.
 */
export function statusUrl(
  { secret_key, status_link_seconds }: LinkSettings,
  { checkout_id, created_at }: LinkedCheckout,
): string {
  const expires = String(Math.floor(Date.parse(created_at) / 1_000) + status_link_seconds);
  const mac = macOf(secret_key, checkout_id, expires);
  return `/pay/${encodeURIComponent(checkout_id)}?token=${expires}.${mac}`;
}

/**
 * Errors: `not_found` unless we signed the link for this checkout; `link_expired` if it has expired at `at`.
 */
export function assertStatusLink(secretKey: string, checkoutId: string, token: string, at: Date): void {
  const [, expires = "", mac = ""] = /^(\d{1,12})\.([\w-]{32})$/.exec(token) ?? [];
  const expected = Buffer.from(macOf(secretKey, checkoutId, expires));
  const given = Buffer.from(mac);
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) throw noSuchLink();
  if (Number(expires) * 1_000 <= at.getTime())
    throw new AppError("link_expired", "The link has expired. Ask the shop about your payment.");
}

export const noSuchLink = (): AppError =>
  new AppError("not_found", "There is no such payment, or the link is incomplete.");

function macOf(secretKey: string, checkoutId: string, expires: string): string {
  return createHmac("sha256", secretKey)
    .update(`status\n${expires}\n${checkoutId}`)
    .digest("base64url")
    .slice(0, 32);
}
