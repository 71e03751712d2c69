import type { FastifyReply } from "fastify";
import { monotonicMilliseconds } from "../clock.ts";
import { AppError } from "../errors.ts";

type Window = { started_ms: number; used: number };

/**
 * A limit per key for each second, in this process, told on every answer in the headers of
 * draft-ietf-httpapi-ratelimit-headers. Errors: `rate_limited`.
 */
export function createRateLimit(requestsPerSecond: number): (keyId: string, reply: FastifyReply) => void {
  const windows = new Map<string, Window>();
  return (keyId, reply) => {
    const nowMs = monotonicMilliseconds();
    let window = windows.get(keyId);
    if (window === undefined || nowMs - window.started_ms >= 1_000) {
      window = { started_ms: nowMs, used: 0 };
      windows.set(keyId, window);
    }
    window.used += 1;
    reply.header("ratelimit-policy", `"default";q=${requestsPerSecond};w=1`);
    reply.header("ratelimit", `"default";r=${Math.max(0, requestsPerSecond - window.used)};t=1`);
    if (window.used > requestsPerSecond) {
      throw new AppError("rate_limited", `More than ${requestsPerSecond} requests a second.`, { retry_after_seconds: 1 });
    }
  };
}
