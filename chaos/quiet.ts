import { setTimeout as sleep } from "node:timers/promises";
import { monotonicMilliseconds } from "../src/clock.ts";
import type { Config } from "../src/config/config.ts";
import type { Database } from "../src/db/db.ts";
import type { ChaosStack } from "./chaos-stack.ts";
import type { HttpClient } from "./http-client.ts";
import { selectUnsettled, type Unsettled } from "./queries.ts";

const poll_ms = 250;
const line_seconds = 2;

/** Ends all faults: everything is started afresh, in which the simulator forgets its faults and the service its crash point. */
export async function endFaults(stack: ChaosStack, http: HttpClient, signal: AbortSignal): Promise<void> {
  await stack.restartPostgres("SIGINT", 0);
  await Promise.all([stack.service.kill(), stack.simulator.kill()]);
  const deadline = monotonicMilliseconds() + 120_000;
  for (;;) {
    const [service, simulator] = await Promise.all([
      http.api("GET", "/payments?limit=1"),
      http.simulator("GET", "health"),
    ]);
    if (service.status === 200 && simulator.status === 200) break;
    if (monotonicMilliseconds() > deadline)
      throw new Error(
        `after the faults the service answers ${service.status} and the simulator ${simulator.status}`,
      );
    await sleep(poll_ms, undefined, { signal });
  }
  // A start that was under way when it was killed may have kept its latency.
  await http.simulator("POST", "faults", {
    latency_ms: 0,
    success_rate: 1,
    next: [],
    webhooks: { drop_rate: 0, duplicate_rate: 0, delay_ms: 0, reorder: false },
  });
}

/**
 * How long an order may take to come to rest after a history of `history_seconds`: a lease, the breaker, all
 * attempts with their waits, each of which may end in a 500 that must be waited for. Inquiries wait as long
 * again as an order was unknown.
 */
export function quietSecondsMax({ payments, psp }: Config, history_seconds: number): number {
  const { retry_attempts_max, retry_backoff_base, lease_seconds, unknown_quiet_seconds } = payments;
  const waits = Array.from(
    { length: retry_attempts_max },
    (_, attempt) =>
      1.2 * retry_backoff_base ** attempt + 2 * psp.timeout_seconds + 3 * unknown_quiet_seconds + 2,
  );
  return (
    30 +
    history_seconds +
    2 * lease_seconds +
    2 * psp.breaker_open_seconds +
    waits.reduce((sum, wait) => sum + wait, 0)
  );
}

export type QuietOptions = {
  readonly database: Database;
  readonly acted: ReadonlyMap<string, string>;
  readonly seconds_max: number;
  readonly signal: AbortSignal;
  readonly on_progress: (line: string) => void;
};

/** Waits until nothing moves any more; gives what still does when the time is over. */
export async function waitForQuiet(options: QuietOptions): Promise<readonly Unsettled[]> {
  const start = monotonicMilliseconds();
  const secondsSoFar = (): number => (monotonicMilliseconds() - start) / 1_000;
  for (let nextLine = 0; ;) {
    const unsettled = await selectUnsettled(options.database, options.acted);
    if (unsettled.length === 0 || secondsSoFar() > options.seconds_max) return unsettled;
    if (secondsSoFar() >= nextLine) {
      options.on_progress(
        `${secondsSoFar().toFixed(0).padStart(3)} s  ${unsettled.map(({ what, count }) => `${count} ${what}`).join(", ")}`,
      );
      nextLine += line_seconds;
    }
    await sleep(poll_ms, undefined, { signal: options.signal });
  }
}
