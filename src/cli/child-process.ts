import { spawn, type ChildProcess as NodeChild } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { inheritedEnvironment } from "../config/config.ts";

export type ChildProcessOptions = {
  readonly name: string;
  readonly script: string;
  readonly arguments: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** The event of the JSON line by which it says that it is ready; the line's `url` is the answer. */
  readonly ready_event: string;
};

const start_ms_max = 30_000;
/**
 * Requests leave much short-lived garbage. With 64 MB of room for it, collecting took 41 µs of each payment,
 * with 128 MB 30; the process takes about 0.5 GB at full load with either.
 */
const young_generation = "--max-semi-space-size=128";

/** One of our own programs as a child, which can be stopped, killed and started again. */
export class ChildProcess {
  readonly #options: ChildProcessOptions;
  #child: NodeChild | undefined;
  #readyLine: Readonly<Record<string, unknown>> = {};

  constructor(options: ChildProcessOptions) {
    this.#options = options;
  }

  get name(): string {
    return this.#options.name;
  }

  /** The signal that ended it, or its exit code. */
  get end_reason(): string {
    return this.#child?.signalCode ?? `exit code ${this.#child?.exitCode ?? "unknown"}`;
  }

  get process_id(): number | undefined {
    return this.#child?.pid;
  }

  /** A field of the JSON line that reported it ready; empty without one. */
  readyText(name: string): string {
    const value = this.#readyLine[name];
    return typeof value === "string" ? value : "";
  }

  /** Whether it runs now. */
  get is_running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /**
   * Starts it and gives its URL. Errors with the last of its output when it dies first or takes longer than
   * 30 s.
   */
  async start(environment: Readonly<Record<string, string>> = {}): Promise<string> {
    const child = spawn(
      process.execPath,
      [young_generation, this.#options.script, ...this.#options.arguments],
      {
        env: { ...inheritedEnvironment(), ...this.#options.environment, ...environment },
        // The fourth is a channel that breaks when this process dies, however it dies: then the child ends
        // too.
        stdio: ["ignore", "pipe", "pipe", "ipc"],
        // Its own process group: Ctrl-C reaches the launcher, which stops its children in order.
        detached: true,
      },
    );
    this.#child = child;
    const errors: string[] = [];
    child.stderr?.on("data", (chunk: Buffer) => {
      errors.push(chunk.toString());
      if (errors.length > 50) errors.shift();
      process.stderr.write(chunk);
    });
    const failed = (what: string): Error =>
      new Error(`The ${this.#options.name} ${what}.\n${errors.join("")}`);
    const failure = once(child, "exit").then(([code, signal]: unknown[]) => {
      throw failed(`ended (${String(signal ?? code)}) before it was ready`);
    });
    const timeout = new Promise<never>((_resolve, reject) => {
      const fail = (): void => reject(failed(`was not ready after ${start_ms_max / 1_000} s`));
      setTimeout(fail, start_ms_max).unref();
    });
    const ready = this.#readyUrl(child);
    const url = await Promise.race([ready, failure, timeout]);
    failure.catch(() => undefined);
    timeout.catch(() => undefined);
    return url;
  }

  /** Asks it to end and waits. */
  async stop(): Promise<void> {
    await this.#end("SIGTERM");
  }

  /** kill -9, as a power cut would. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** Continues a process that was stopped by SIGSTOP; does nothing to a running one. */
  thaw(): void {
    if (this.is_running) this.#child?.kill("SIGCONT");
  }

  /** Resolves when it has ended by itself. */
  async ended(): Promise<void> {
    if (this.is_running && this.#child !== undefined) await once(this.#child, "exit");
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === undefined || !this.is_running) return;
    const exit = once(child, "exit");
    child.kill(signal);
    await exit;
  }

  async #readyUrl(child: NodeChild): Promise<string> {
    if (child.stdout === null) throw new Error(`the ${this.#options.name} has no output`);
    const lines = createInterface({ input: child.stdout });
    return new Promise((resolve) => {
      lines.on("line", (line) => {
        if (!line.startsWith("{")) return;
        const message: unknown = JSON.parse(line);
        if (!isObject(message) || message["event"] !== this.#options.ready_event) return;
        this.#readyLine = message;
        resolve(this.readyText("url"));
      });
    });
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
