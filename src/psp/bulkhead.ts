/** Limits the calls in flight at one PSP, so that a slow PSP cannot use up the capacity of the others. */
export class Bulkhead {
  readonly #callsMax: number;
  #callsRunning = 0;

  constructor(calls_at_once_max: number) {
    this.#callsMax = calls_at_once_max;
  }

  /** How many more calls may start now. */
  placesFree(): number {
    return this.#callsMax - this.#callsRunning;
  }

  /** The call's result. Call it only while a place is free. */
  async run<Result>(call: () => Promise<Result>): Promise<Result> {
    this.#callsRunning += 1;
    try {
      return await call();
    } finally {
      this.#callsRunning -= 1;
    }
  }
}
