import type { Logger } from "../log.ts";
import { summaryOf } from "../logged-error.ts";

export type WorkLoopOptions = {
  readonly name: string;
  readonly log: Logger;
  /**
   * How long to wait for a wake-up when there was nothing to do; the safety net for work enqueued by other
   * processes. A function is asked before each wait.
   */
  readonly idle_poll_ms: number | (() => number);
  /** Does the work that is due and gives how much it was; 0 lets the loop wait. */
  readonly run: () => Promise<number>;
};

/** Calls `run` again and again until stopped, at once after a wake-up; an error is logged and waited out. */
export class WorkLoop {
  readonly #options: WorkLoopOptions;
  #isStopped = false;
  #isWoken = false;
  #endWait: (() => void) | undefined;
  #loop: Promise<void> | undefined;

  constructor(options: WorkLoopOptions) {
    this.#options = options;
  }

  start(): void {
    this.#loop ??= this.#work();
  }

  wake(): void {
    this.#isWoken = true;
    this.#endWait?.();
  }

  /** Resolves when the current run has ended. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.wake();
    await this.#loop;
  }

  async #work(): Promise<void> {
    while (!this.#isStopped) {
      this.#isWoken = false;
      const delayMs = await this.#runOnce();
      if (delayMs > 0 && !this.#isWoken && !this.#isStopped) await this.#wait(delayMs);
    }
  }

  async #runOnce(): Promise<number> {
    try {
      if ((await this.#options.run()) > 0) return 0;
      const { idle_poll_ms } = this.#options;
      return typeof idle_poll_ms === "number" ? idle_poll_ms : idle_poll_ms();
    } catch (error) {
      this.#options.log.error(
        { err: error, work: this.#options.name },
        `work failed, trying again: ${summaryOf(error)}`,
      );
      return 1_000;
    }
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#endWait = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
