import { monotonicMilliseconds } from "../clock.ts";
import { breakerOpen } from "../metrics.ts";

export type BreakerOptions = { readonly failures_in_a_row: number; readonly open_seconds: number };

type Outcome = {
  readonly kind: string;
  readonly no_call_made?: true;
  readonly failure?: { readonly class: string };
};

type State =
  | { readonly kind: "closed"; failures_in_a_row: number }
  | { readonly kind: "open"; readonly until_ms: number }
  /** One trial call is in flight, and its outcome decides. */
  | { readonly kind: "half_open" };

/** How long other calls wait during a trial, which ends within the PSP's timeout. */
const trial_wait_seconds = 1;
/** A reserved trial call expires after this time. */
const reservation_ms = 1_000;

/**
 * Holds calls back after failures in a row, lets one through as a trial after a while, and opens fully when
 * that succeeds. A call counts in the state in which it began: a late result says nothing about the present.
 */
export class Breaker {
  readonly #name: string;
  readonly #options: BreakerOptions;
  #state: State = { kind: "closed", failures_in_a_row: 0 };
  #reservedUntilMs = 0;

  constructor(name: string, options: BreakerOptions) {
    this.#name = name;
    this.#options = options;
    breakerOpen.set({ psp: name }, 0);
  }

  /** How many calls make sense now: any number while closed, none while open, then one as a trial. */
  callsAllowed(): number {
    if (this.#state.kind === "closed") return Number.POSITIVE_INFINITY;
    return this.secondsToWait() > 0 ? 0 : 1;
  }

  /** The time left until a call may be let through; 0: now. */
  secondsToWait(): number {
    switch (this.#state.kind) {
      case "closed":
        return 0;
      case "open":
        return Math.max(0, this.#state.until_ms - monotonicMilliseconds()) / 1_000;
      case "half_open":
        return trial_wait_seconds;
    }
  }

  /**
   * Whether a new attempt may go to this PSP. A trial that is due is reserved for the first caller.
   */
  tryReserve(): boolean {
    if (this.#state.kind === "closed") return true;
    const nowMs = monotonicMilliseconds();
    if (this.secondsToWait() > 0 || nowMs < this.#reservedUntilMs) return false;
    this.#reservedUntilMs = nowMs + reservation_ms;
    return true;
  }

  /**
   * The call's result. Call it only if `secondsToWait` is 0, in the same turn of the event loop.
   */
  async run<Result extends Outcome>(call: () => Promise<Result>): Promise<Result> {
    if (this.#state.kind === "open") this.#enter({ kind: "half_open" });
    const state = this.#state;
    // A call that throws counts as a failure.
    let isFailing: boolean | null = true;
    try {
      const result = await call();
      isFailing = result.no_call_made === true ? null : isPspFailing(result);
      return result;
    } finally {
      if (this.#state === state) {
        if (isFailing === null) this.#giveTrialBack();
        else this.#count(state, isFailing);
      }
    }
  }

  /** The PSP was not called after all: the next call is the trial. */
  #giveTrialBack(): void {
    if (this.#state.kind === "half_open") this.#enter({ kind: "open", until_ms: monotonicMilliseconds() });
  }

  #count(state: State, isFailing: boolean): void {
    if (state.kind === "closed") {
      state.failures_in_a_row = isFailing ? state.failures_in_a_row + 1 : 0;
      if (state.failures_in_a_row < this.#options.failures_in_a_row) return;
    }
    this.#enter(
      isFailing
        ? { kind: "open", until_ms: monotonicMilliseconds() + this.#options.open_seconds * 1_000 }
        : { kind: "closed", failures_in_a_row: 0 },
    );
  }

  #enter(state: State): void {
    this.#state = state;
    this.#reservedUntilMs = 0;
    breakerOpen.set({ psp: this.#name }, state.kind === "closed" ? 0 : 1);
  }
}

/** A PSP that cannot be reached or does not answer clearly counts as failing; a decline is a clear answer. */
function isPspFailing(outcome: Outcome): boolean {
  return (
    outcome.kind === "unknown" || (outcome.kind === "not_sent" && outcome.failure?.class === "unreachable")
  );
}
