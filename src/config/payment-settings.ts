/** Settings of the room `payments`: limits, retries, terms. */
import type { PaymentSettings } from "../payments/payments.ts";
import type { SettingsReader } from "./settings-reader.ts";

export function paymentSettings(read: SettingsReader): PaymentSettings {
  return {
    limits: {
      order_max: read.amounts("RISK_ORDER_MAX"),
      buyer_day_max: read.amounts("RISK_BUYER_DAY_MAX"),
      review_from: read.amounts("RISK_REVIEW_FROM"),
    },
    idempotency_hours: read.number("IDEMPOTENCY_KEY_EXPIRY_HOURS", 24, { min: 1, max: 720 }),
    retry_attempts_max: read.number("MAX_RETRY_ATTEMPTS", 5, { min: 1, max: 100 }),
    retry_backoff_base: read.number("RETRY_BACKOFF_BASE", 2, { min: 1, max: 10, is_integer: false }),
    commission_basis_points: BigInt(read.number("COMMISSION_BASIS_POINTS", 0, { min: 0, max: 10_000 })),
    psp_concurrency: read.number("PSP_CONCURRENCY", 64, { min: 1, max: 1_000 }),
    idle_poll_ms: read.number("IDLE_POLL_MS", 200, { min: 10, max: 60_000 }),
    lease_seconds: read.number("JOB_LEASE_SECONDS", 60, { min: 2, max: 3_600 }),
    unknown_quiet_seconds: read.number("PSP_UNKNOWN_QUIET_SECONDS", 90_000, { min: 1, max: 2_592_000 }),
    overdue_seconds: read.number("OVERDUE_SECONDS", 600, { min: 1, max: 86_400 }),
    monitor_seconds: read.number("MONITOR_SECONDS", 60, { min: 1, max: 3_600 }),
    page_seconds: read.number("HOSTED_PAGE_SECONDS", 3_600, { min: 2, max: 86_000 }),
    resolution_approval_amounts: read.amounts("RESOLUTION_APPROVAL_AMOUNTS"),
    approval_hours: read.number("APPROVAL_EXPIRY_HOURS", 72, { min: 1, max: 720 }),
    buyer_action_seconds: read.number("BUYER_ACTION_SECONDS", 3_600, { min: 1, max: 86_400 }),
    authorization_seconds: read.number("AUTHORIZATION_SECONDS", 604_800, { min: 1, max: 2_592_000 }),
  };
}
