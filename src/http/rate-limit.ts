import { isIPv6 } from "node:net";
import type { FastifyReply } from "fastify";
import { monotonicMilliseconds } from "../clock.ts";
import { AppError } from "../errors.ts";

/** Beyond this many keys in one second, about 10 MB, the others are counted as one. */
const keys_max = 100_000;
const others = "others";
const window_ms = 1_000;

/** Counts requests per key within windows of one second, and forgets all keys at the end of each. */
export class RateWindows {
  #counts = new Map<string, number>();
  #startedMs = 0;
  readonly #now: () => number;

  constructor(now: () => number = monotonicMilliseconds) {
    this.#now = now;
  }

  get size(): number {
    return this.#counts.size;
  }

  /** Adds a request and gives the count in the key's window. */
  add(key: string): number {
    const now = this.#now();
    if (now - this.#startedMs >= window_ms) {
      this.#counts = new Map();
      this.#startedMs = now;
    }
    const counted = this.#counts.has(key) || this.#counts.size < keys_max ? key : others;
    const count = (this.#counts.get(counted) ?? 0) + 1;
    this.#counts.set(counted, count);
    return count;
  }
}

/**
 * A limit per key for each second, in this process, shown on every answer in the headers of
 * draft-ietf-httpapi-ratelimit-headers. Errors: `rate_limited`.
 */
export function createRateLimit(requestsPerSecond: number): (keyId: string, reply: FastifyReply) => void {
  const windows = new RateWindows();
  return (keyId, reply) => {
    const used = windows.add(keyId);
    reply.header("ratelimit-policy", `"default";q=${requestsPerSecond};w=1`);
    reply.header("ratelimit", `"default";r=${Math.max(0, requestsPerSecond - used)};t=1`);
    if (used > requestsPerSecond) {
      throw new AppError("rate_limited", `More than ${requestsPerSecond} requests a second.`, {
        retry_after_seconds: 1,
      });
    }
  };
}

/** The group in which an address is counted: an IPv6 /64 network usually belongs to one client. */
export function addressGroup(address: string): string {
  if (!isIPv6(address)) return address;
  if (address.includes(".")) return address.slice(address.lastIndexOf(":") + 1);
  const [head = "", tail] = address.split("::");
  const groups = head === "" ? [] : head.split(":");
  const tailGroups = tail === undefined || tail === "" ? [] : tail.split(":");
  while (tail !== undefined && groups.length + tailGroups.length < 8) groups.push("0");
  return `${[...groups, ...tailGroups]
    .slice(0, 4)
    .map((group) => group.toLowerCase())
    .join(":")}::/64`;
}
