import type { Clock } from "../../src/clock.ts";

/** Business time that a test moves. It stands still in between. */
export class TestClock implements Clock {
  #now_ms: number;

  /** Begins at the given time, or at real time. */
  constructor(start?: string) {
    this.#now_ms = start === undefined ? Date.now() : Date.parse(start);
  }

  now(): Date {
    return new Date(this.#now_ms);
  }

  get ahead_ms(): number {
    return this.#now_ms - Date.now();
  }

  advance(seconds: number): void {
    this.#now_ms += seconds * 1_000;
  }
}
