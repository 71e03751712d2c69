import { setTimeout as sleep } from "node:timers/promises";
import { monotonicMilliseconds } from "../clock.ts";
import { messageOf } from "../errors.ts";
import type { ChildProcess } from "./child-process.ts";
import type { Stack } from "./stack.ts";

const database_poll_ms = 1_000;
/** If a process dies this soon after its start, this often in a row, another start will not help. */
const short_life_ms = 10_000;
const short_lives_max = 3;
const database_ended = "The embedded PostgreSQL has stopped. Committed data is safe: run `npm start` again.";

export type StackWatch = {
  /** Resolves with the reason when the stack cannot go on; never after `stop`. */
  readonly failed: Promise<string>;
  /** From now on processes end because they are told to. */
  stop(): void;
};

/** Restarts a service or simulator that died, and reports each restart in one line. */
export function watchStack(stack: Stack, onLine: (line: string) => void): StackWatch {
  let isStopped = false;
  const { promise: failed, resolve: fail } = Promise.withResolvers<string>();
  const failUnlessStopped = (reason: string): void => {
    if (!isStopped) fail(reason);
  };

  const keepUp = async (child: ChildProcess, restart: () => Promise<void>): Promise<void> => {
    for (let shortLives = 0; shortLives < short_lives_max;) {
      const start_ms = monotonicMilliseconds();
      await child.ended();
      if (isStopped) return;
      shortLives = monotonicMilliseconds() - start_ms < short_life_ms ? shortLives + 1 : 0;
      onLine(`The ${child.name} has stopped (${child.end_reason}); restarting it.`);
      await restart();
    }
    failUnlessStopped(
      `The ${child.name} ended ${short_lives_max} times within ${short_life_ms / 1_000} s of its start.`,
    );
  };

  const watchDatabase = async (): Promise<void> => {
    while (!isStopped) {
      if (!(await stack.isDatabaseRunning())) {
        return failUnlessStopped(database_ended);
      }
      await sleep(database_poll_ms);
    }
  };

  for (const task of [
    keepUp(stack.service, () => stack.restartService()),
    keepUp(stack.simulator, () => stack.restartSimulator()),
    watchDatabase(),
  ]) {
    // If the service cannot start because its database is gone, the database is what the reader must fix.
    task.catch(async (error: unknown) => {
      const isRunning = await stack.isDatabaseRunning().catch(() => false);
      failUnlessStopped(isRunning ? messageOf(error) : database_ended);
    });
  }
  return {
    failed,
    stop: () => {
      isStopped = true;
    },
  };
}
