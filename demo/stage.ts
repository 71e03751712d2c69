import { startStack, type Stack } from "../src/cli/cli.ts";
import type { Config } from "../src/config/config.ts";
import { Database } from "../src/db/db.ts";
import {
  chooseFreePort,
  startEmbeddedPostgres,
  type EmbeddedPostgres,
} from "../src/db/embedded/embedded-postgres.ts";
import { dropDatabase } from "./queries.ts";

export const api_key = "sk_demo";
const database = "pacioli_demo";

/**
 * The demo's settings override the user's environment, because its checks name exact amounts. The lease and
 * the PSP timeout are short, so that the work of a killed process is taken over within seconds.
 */
const environment: Readonly<Record<string, string>> = {
  PACIOLI_API_KEY: api_key,
  HOST: "127.0.0.1",
  OPERATIONS_HOST: "127.0.0.1",
  ALLOWED_HOSTS: "",
  LOG_LEVEL: "fatal",
  CRASH_POINT: "",
  FREEZE_POINT: "",
  RATE_LIMIT_PER_SECOND: "",
  JOB_LEASE_SECONDS: "5",
  PSP_TIMEOUT_SECONDS: "1.2",
  PSP_CONCURRENCY: "",
  PSP_BREAKER_FAILURES: "",
  PSP_BREAKER_OPEN_SECONDS: "",
  MAX_RETRY_ATTEMPTS: "",
  RETRY_BACKOFF_BASE: "",
  COMMISSION_BASIS_POINTS: "",
  IDLE_POLL_MS: "",
  RISK_ORDER_MAX: "",
  RISK_BUYER_DAY_MAX: "",
  RISK_REVIEW_FROM: "",
  PSP_SUCCESS_RATE: "1",
  SIMULATOR_LATENCY_MS: "0",
  SIMULATOR_HOST: "127.0.0.1",
};

/** Everything that the demo starts and stops. */
export class Stage {
  readonly #config: Config;
  #postgres: EmbeddedPostgres | undefined;
  #stack: Stack | undefined;

  constructor(config: Config) {
    this.#config = config;
  }

  /** PostgreSQL, simulator and service on new, empty databases; `onProgress` hears what is ready and what takes time. */
  async open(onProgress: (line: string) => void, signal: AbortSignal): Promise<Stack> {
    const serverUrl = await this.#openPostgres(onProgress);
    onProgress(
      `PostgreSQL      ${this.#postgres === undefined ? "the server of DATABASE_URL" : `embedded, at 127.0.0.1:${this.#postgres.port}`}`,
    );
    signal.throwIfAborted();
    await makeRoom(serverUrl);
    signal.throwIfAborted();
    const stack = await startStack({
      data_dir: this.#config.data_dir,
      database_url: serverUrl,
      database,
      port: await chooseFreePort(),
      simulator_port: 0,
      environment,
      has_webhooks: true,
      on_progress: onProgress,
    });
    this.#stack = stack;
    signal.throwIfAborted();
    onProgress(
      `PSP simulator   ${stack.simulator_url} (speaks Stripe's wire format and keeps its own books)`,
    );
    onProgress(`Pacioli         ${stack.service_url}`);
    return stack;
  }

  /** May be called at any time, also when opening failed. */
  async close(): Promise<void> {
    await this.#stack?.stop();
    await this.#postgres?.stop();
  }

  async #openPostgres(onProgress: (line: string) => void): Promise<string> {
    if (this.#config.database_url !== undefined) return this.#config.database_url;
    this.#postgres = await startEmbeddedPostgres({
      data_dir: this.#config.data_dir,
      on_progress: onProgress,
    });
    return this.#postgres.superuser_url;
  }
}

async function makeRoom(serverUrl: string): Promise<void> {
  const server = new Database({ url: serverUrl, application_name: "pacioli-demo", connections_max: 1 });
  try {
    await dropDatabase(server, "pacioli_demo");
    await dropDatabase(server, "pacioli_demo_simulator");
  } finally {
    await server.close();
  }
}
