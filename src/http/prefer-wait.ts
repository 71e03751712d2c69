import { setTimeout as sleep } from "node:timers/promises";
import type { FastifyRequest } from "fastify";
import { monotonicMilliseconds } from "../clock.ts";

const wait_seconds_max = 10;
const poll_ms_first = 20;
const poll_ms_max = 200;
/** Requests that may wait at a time, since each reads a few times a second; more are answered at once. */
const waiting_max = 200;

/**
 * The seconds of `Prefer: wait=5` (RFC 7240), at most 10; 0 without it. A preference that cannot be read is
 * ignored.
 */
export function waitSecondsOf(request: FastifyRequest): number {
  const { prefer } = request.headers;
  const texts = typeof prefer === "string" ? prefer.split(",") : [];
  for (const text of texts) {
    const [, seconds] = /^\s*wait\s*=\s*"?(\d{1,6})"?\s*$/i.exec(text) ?? [];
    if (seconds !== undefined) return Math.min(Number(seconds), wait_seconds_max);
  }
  return 0;
}

/** Lets requests wait for an outcome if they sent `Prefer: wait`. */
export class PreferredWaits {
  #waiting = 0;

  /** Polls until there is an outcome or the time is over; undefined if too many requests are waiting. */
  async until<Result>(
    seconds: number,
    look: () => Promise<{ readonly is_done: boolean; readonly result: Result }>,
  ): Promise<Result | undefined> {
    if (seconds === 0 || this.#waiting >= waiting_max) return undefined;
    this.#waiting += 1;
    try {
      const end = monotonicMilliseconds() + seconds * 1_000;
      for (let poll_ms = poll_ms_first; ; poll_ms = Math.min(poll_ms * 2, poll_ms_max)) {
        const { is_done, result } = await look();
        if (is_done || monotonicMilliseconds() >= end) return result;
        await sleep(poll_ms);
      }
    } finally {
      this.#waiting -= 1;
    }
  }
}
