import type { FastifyRequest } from "fastify";
import { AppError } from "../errors.ts";
import type { App } from "./context.ts";

/**
 * Limits the requests of one API key in progress in this process, so that one client cannot fill the queues
 * that all share. Counts from the handler on, so that a slow body takes no place. Errors:
 * `concurrency_limited`.
 */
export function limitCallsAtOnce(app: App, calls_at_once_max: number): void {
  const running = new Map<string, number>();
  const counted = new WeakMap<FastifyRequest, string>();

  app.addHook("preHandler", async (request) => {
    const { key_id } = request.caller;
    const calls = running.get(key_id) ?? 0;
    if (calls >= calls_at_once_max) {
      throw new AppError(
        "concurrency_limited",
        `This API key has ${calls_at_once_max} requests in progress; wait for their answers.`,
        { retry_after_seconds: 1 },
      );
    }
    running.set(key_id, calls + 1);
    counted.set(request, key_id);
  });

  // Not onResponse: pipelined requests of a broken connection never get there, and their places would be
  // lost.
  app.addHook("onSend", async (request) => {
    const key_id = counted.get(request);
    if (key_id === undefined) return;
    counted.delete(request);
    const calls = (running.get(key_id) ?? 1) - 1;
    if (calls === 0) running.delete(key_id);
    else running.set(key_id, calls);
  });
}
