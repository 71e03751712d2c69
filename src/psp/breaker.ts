import { BrokenCircuitError, CircuitState, ConsecutiveBreaker, circuitBreaker, handleWhenResult, type CircuitBreakerPolicy } from "cockatiel";
import { monotonicMilliseconds } from "../clock.ts";
import { breakerOpen } from "../metrics.ts";

export type BreakerOptions = { readonly failures_in_a_row: number; readonly open_seconds: number };

type Outcome = { readonly kind: string; readonly failure?: { readonly class: string } };

/** A PSP that cannot be reached or does not answer clearly counts as failing; a decline is a clear answer. */
function isPspFailing(result: unknown): boolean {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the policy hands over what the call gave
  const outcome = result as Outcome;
  return outcome.kind === "unknown" || (outcome.kind === "not_sent" && outcome.failure?.class === "unreachable");
}

/** Holds calls back after failures in a row, lets one through after a while, and opens fully when that succeeds. */
export class Breaker {
  readonly #policy: CircuitBreakerPolicy;
  readonly #openSeconds: number;
  #openUntilMs = 0;

  constructor(name: string, options: BreakerOptions) {
    this.#openSeconds = options.open_seconds;
    this.#policy = circuitBreaker(handleWhenResult(isPspFailing), {
      halfOpenAfter: options.open_seconds * 1_000,
      breaker: new ConsecutiveBreaker(options.failures_in_a_row),
    });
    breakerOpen.set({ psp: name }, 0);
    this.#policy.onStateChange((state) => breakerOpen.set({ psp: name }, state === CircuitState.Open ? 1 : 0));
    this.#policy.onBreak(() => {
      this.#openUntilMs = monotonicMilliseconds() + options.open_seconds * 1_000;
    });
  }

  /** How many calls make sense now: none while open, one as a trial after that, any number while closed. */
  callsAllowed(): number {
    if (this.#policy.state === CircuitState.Closed) return Number.POSITIVE_INFINITY;
    return monotonicMilliseconds() < this.#openUntilMs ? 0 : 1;
  }

  /** The call's result, or `whenOpen(seconds until the next trial)` without a call. */
  async run<Result>(call: () => Promise<Result>, whenOpen: (retryAfterSeconds: number) => Result): Promise<Result> {
    try {
      return await this.#policy.execute(call);
    } catch (error) {
      if (error instanceof BrokenCircuitError) return whenOpen(this.#openSeconds);
      throw error;
    }
  }
}
