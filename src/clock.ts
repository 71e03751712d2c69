/**
 * The only place that reads the time. Of the two clocks, `Clock` has business time, on which terms, expiries
 * and days depend; `now` is real time, for ids and signatures. Durations use `monotonicMilliseconds`.
 */

/** Business time. It is passed to what depends on it, and to SQL as a parameter. */
export type Clock = {
  now(): Date;
  /** How far it is ahead of real time, which is the PSPs'; not 0 only in development and tests. */
  readonly ahead_ms: number;
};

/** The clock of a process: real time, or ahead of it by so much. */
export function createClock(ahead_seconds: number): Clock {
  const ahead_ms = ahead_seconds * 1_000;
  return { now: () => new Date(now().getTime() + ahead_ms), ahead_ms };
}

type TimeSource = () => number;

let readMilliseconds: TimeSource = Date.now;

/** Real time. */
export function now(): Date {
  return new Date(readMilliseconds());
}

/**
 * Replaces the source of time (milliseconds since 1970); gives back a function that restores the former one.
 */
export function replaceClock(source: TimeSource): () => void {
  const former = readMilliseconds;
  readMilliseconds = source;
  return () => {
    readMilliseconds = former;
  };
}

/** Milliseconds that only grow, for measuring durations. */
export function monotonicMilliseconds(): number {
  return performance.now();
}
