import type { FastifyRequest } from "fastify";
import type { AppError, ErrorCode } from "../errors.ts";
import { monotonicMilliseconds } from "../clock.ts";
import { accessRefused } from "../metrics.ts";
import type { Caller } from "./auth.ts";
import { clientAddress } from "./client-address.ts";

const kinds: Partial<Record<ErrorCode, "authentication" | "scope" | "signature">> = {
  unauthenticated: "authentication",
  forbidden: "scope",
  signature_invalid: "signature",
};

/** Beyond this many lines a second refusals are only counted, so that guessing keys cannot fill the disk. */
const lines_per_second_max = 20;

/**
 * Counts and logs failures of authentication, scope and webhook signature. Nothing of the request's headers
 * or body is logged but an address in X-Forwarded-For, above all not the key.
 */
export function createRefusalLog(): (request: FastifyRequest, error: AppError) => void {
  let second = 0;
  let lines = 0;
  let left_out = 0;
  return (request, error) => {
    const kind = kinds[error.code];
    if (kind === undefined) return;
    const route = request.routeOptions.url ?? "none";
    accessRefused.inc({ kind, route });
    const now = Math.floor(monotonicMilliseconds() / 1_000);
    if (now !== second) [second, lines] = [now, 0];
    if (lines >= lines_per_second_max) {
      left_out += 1;
      return;
    }
    lines += 1;
    // Undefined before the key is known.
    const caller: Caller | undefined = request.caller;
    request.log.warn(
      {
        event: "access_refused",
        kind,
        reason: error.message,
        address: clientAddress(request),
        method: request.method,
        route,
        request_id: request.id,
        ...(caller === undefined ? {} : { key_id: caller.key_id }),
        ...(left_out === 0 ? {} : { lines_left_out: left_out }),
      },
      "access refused",
    );
    left_out = 0;
  };
}
