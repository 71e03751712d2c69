import { setTimeout as sleep } from "node:timers/promises";
import { monotonicMilliseconds } from "../src/clock.ts";
import { messageOf } from "../src/errors.ts";

type Environment = Readonly<Record<string, string>>;

/** A program that can die: a child process. */
export type Killable = { readonly is_running: boolean; ended(): Promise<void>; kill(): Promise<void> };

export type SupervisorOptions = {
  readonly name: string;
  readonly program: Killable;
  readonly start: (environment: Environment) => Promise<void>;
};

const start_pause_ms = 200;
const start_seconds_max = 120;

/** Starts a program again whenever it has died, as a service manager would, for as long as it watches. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  #isWatching = true;
  #nextEnvironment: Environment = {};
  #downMs = 0;
  #deaths = 0;
  #error: Error | undefined;
  readonly #watch: Promise<void>;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#watch = this.#keepAlive().catch((error: unknown) => {
      this.#error = error instanceof Error ? error : new Error(messageOf(error));
    });
  }

  /** How often it died, by our hand or its own. */
  get deaths(): number {
    return this.#deaths;
  }

  /** kill -9; it comes back after `down_ms`, once with these settings. */
  async kill(next: { environment?: Environment; down_ms?: number } = {}): Promise<void> {
    this.#nextEnvironment = next.environment ?? {};
    this.#downMs = next.down_ms ?? 0;
    await this.#options.program.kill();
  }

  /** Resolves when it runs no more and nobody starts it again. Errors if it could not be kept alive. */
  async release(): Promise<void> {
    this.#isWatching = false;
    await this.#options.program.kill();
    await this.#watch;
    if (this.#error !== undefined) throw this.#error;
  }

  async #keepAlive(): Promise<void> {
    for (;;) {
      await this.#options.program.ended();
      if (!this.#isWatching) return;
      this.#deaths += 1;
      await sleep(this.#downMs);
      this.#downMs = 0;
      await this.#startAgain();
    }
  }

  /** A start fails while the database is away: then it is tried again, and without the crash point that may have ended it. */
  async #startAgain(): Promise<void> {
    const deadline = monotonicMilliseconds() + start_seconds_max * 1_000;
    while (this.#isWatching) {
      const environment = this.#nextEnvironment;
      this.#nextEnvironment = {};
      try {
        return await this.#options.start(environment);
      } catch (error) {
        await this.#options.program.kill();
        if (monotonicMilliseconds() > deadline)
          throw new Error(`the ${this.#options.name} could not be started again: ${messageOf(error)}`, {
            cause: error,
          });
        await sleep(start_pause_ms);
      }
    }
  }
}
