/** The only place that reads the time; a test clock can replace it. */
type TimeSource = () => number;

let readMilliseconds: TimeSource = Date.now;

/** The time now. */
export function now(): Date {
  return new Date(readMilliseconds());
}

/** Replaces the source of time (milliseconds since 1970); gives back a function that restores the former one. */
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
