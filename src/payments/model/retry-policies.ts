import type { RetryPolicy } from "../../jobs/jobs.ts";
import type { FailureClass } from "../../psp/psp.ts";

/** Which policy follows which failure, and how long an unknown outcome is asked about. */
export type RetryPolicies = Readonly<Record<FailureClass, RetryPolicy>> & { readonly inquiry: RetryPolicy };

/**
 * The policies from two settings: waits of 1, base, base², … seconds, and the attempts of one order.
 * A hard decline or a refused request is never repeated by itself. Inquiries go on for as long as the
 * outcome is unknown, at most five minutes apart; `inquiries_before_alarm` says when a person hears of it.
 */
export function retryPolicies(settings: { attempts_max: number; backoff_base: number }): RetryPolicies {
  const exponential: RetryPolicy = {
    strategy: "exponential",
    attempts_max: settings.attempts_max,
    delay_seconds: 1,
    base: settings.backoff_base,
    delay_seconds_max: 300,
    jitter: 0.2,
  };
  return {
    hard_decline: { strategy: "none" },
    invalid_request: { strategy: "none" },
    transient_decline: exponential,
    rate_limited: exponential,
    // The PSP's outage is not the payment's fault: nothing was sent, so it may wait for hours.
    unreachable: { ...exponential, attempts_max: 10 * settings.attempts_max },
    inquiry: { ...exponential, attempts_max: Number.MAX_SAFE_INTEGER, base: 2 },
  };
}

/**
 * Unanswered inquiries (about four minutes with the delays above) after which a dead letter tells a person.
 */
export const inquiries_before_alarm = 8;
