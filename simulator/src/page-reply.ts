import type { Document } from "./checkout-views.ts";
import type { Reply } from "./idempotency.ts";

const HEADERS = {
  "Content-Type": "text/html; charset=utf-8",
  "Cache-Control": "no-store",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
};

export function show(status: number, { body, policy }: Document): Reply {
  return { status, body, headers: { ...HEADERS, "Content-Security-Policy": policy }, transport: "normal" };
}

export function redirect(to: string): Reply {
  return { status: 303, body: "", headers: { ...HEADERS, Location: to }, transport: "normal" };
}
