/** When to try again, as data. All delays in seconds. */
export type RetryPolicy =
  | { readonly strategy: "none" }
  | { readonly strategy: "immediate"; readonly attempts_max: number }
  | { readonly strategy: "fixed"; readonly attempts_max: number; readonly delay_seconds: number }
  | {
      readonly strategy: "incremental";
      readonly attempts_max: number;
      readonly delay_seconds: number;
      readonly step_seconds: number;
      readonly delay_seconds_max: number;
    }
  | {
      readonly strategy: "exponential";
      readonly attempts_max: number;
      readonly delay_seconds: number;
      readonly base: number;
      readonly delay_seconds_max: number;
      readonly jitter: number;
    };

/**
 * Seconds to wait before the next try after `attempts` tries, or undefined to give up.
 * The PSP's own `retry_after_seconds` wins over a shorter delay. `random` is from 0 to 1; jitter 0.2
 * spreads a delay over ±20 %, so that payments that failed together do not come back together.
 */
export function nextDelaySeconds(
  policy: RetryPolicy,
  attempts: number,
  options: { retry_after_seconds?: number; random: number },
): number | undefined {
  if (policy.strategy === "none" || attempts >= policy.attempts_max) return undefined;
  return Math.max(delayOf(policy, attempts, options.random), options.retry_after_seconds ?? 0);
}

function delayOf(
  policy: Exclude<RetryPolicy, { strategy: "none" }>,
  attempts: number,
  random: number,
): number {
  switch (policy.strategy) {
    case "immediate":
      return 0;
    case "fixed":
      return policy.delay_seconds;
    case "incremental":
      return Math.min(policy.delay_seconds + policy.step_seconds * (attempts - 1), policy.delay_seconds_max);
    case "exponential": {
      const delay = Math.min(policy.delay_seconds * policy.base ** (attempts - 1), policy.delay_seconds_max);
      return delay * (1 + policy.jitter * (2 * random - 1));
    }
  }
}
