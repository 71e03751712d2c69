import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startStack, type Stack } from "../src/cli/cli.ts";
import { inheritedEnvironment, loadConfig, type Config } from "../src/config/config.ts";
import { Database } from "../src/db/db.ts";
import {
  chooseFreePort,
  startEmbeddedPostgres,
  type EmbeddedPostgres,
} from "../src/db/embedded/embedded-postgres.ts";
import { card_account, spare_account } from "./accounts.ts";
import { external_account } from "./plan.ts";
import { dropChaosDatabases } from "./queries.ts";
import { Supervisor } from "./supervisor.ts";

export const api_key = "sk_chaos";
export const psp_key = "sk_test_simulator";

const status_secret_name = "CHAOS_STATUS_SECRET";
const psp_key_name = "CHAOS_PSP_KEY";

/** Timeouts short enough for a run of a minute; the environment can override them. */
const quick: Readonly<Record<string, string>> = {
  JOB_LEASE_SECONDS: "4",
  PSP_TIMEOUT_SECONDS: "0.9",
  PSP_BREAKER_OPEN_SECONDS: "1",
  RETRY_BACKOFF_BASE: "1",
  // After each 500 that did nothing the quiet time must pass.
  MAX_RETRY_ATTEMPTS: "3",
  // Longer than a turn may take (half a lease, two calls) plus the simulator's delay before it rolls a 500
  // forward.
  PSP_UNKNOWN_QUIET_SECONDS: "6",
  SIMULATOR_ROLL_FORWARD_SECONDS: "2",
  LOG_LEVEL: "fatal",
  SIMULATOR_LATENCY_MS: "20",
};

/** What would lead the run to another database, another PSP or another key; files win over values, so they are shut out too. */
const ours = [
  "DATABASE_URL",
  "MIGRATION_DATABASE_URL",
  "PACIOLI_API_KEY",
  "SECRET_KEY",
  "ALLOWED_HOSTS",
  "CRASH_POINT",
  "FREEZE_POINT",
  "HOST",
  "PORT",
  "OPERATIONS_HOST",
  "OPERATIONS_PORT",
  "PSP_STRIPE_SECRET_KEY",
  "PSP_STRIPE_API_BASE",
  "PSP_STRIPE_WEBHOOK_SECRET",
  "PSP_ACCOUNTS",
  "PSP_ROUTING",
  status_secret_name,
  psp_key_name,
];

export type ChaosStackOptions = {
  /** Of this run's own PostgreSQL, which nobody else may use: it is killed. */
  readonly data_dir: string;
  readonly port: number;
  readonly signal: AbortSignal;
  readonly on_progress: (line: string) => void;
};

/** PostgreSQL, simulator and service, each of which can be killed and comes back. */
export class ChaosStack {
  readonly config: Config;
  readonly processes: Stack;
  readonly service: Supervisor;
  readonly simulator: Supervisor;
  readonly webhook_secret: string;
  /** Of the external account. */
  readonly status_secret: string;
  readonly #dataDir: string;
  #postgres: EmbeddedPostgres;

  private constructor(parts: {
    config: Config;
    processes: Stack;
    postgres: EmbeddedPostgres;
    webhook_secret: string;
    status_secret: string;
    data_dir: string;
  }) {
    this.config = parts.config;
    this.processes = parts.processes;
    this.webhook_secret = parts.webhook_secret;
    this.status_secret = parts.status_secret;
    this.#dataDir = parts.data_dir;
    this.#postgres = parts.postgres;
    this.service = new Supervisor({
      name: "service",
      program: this.processes.service,
      start: (environment) => this.processes.restartService(environment),
    });
    this.simulator = new Supervisor({
      name: "simulator",
      program: this.processes.simulator,
      start: () => this.processes.restartSimulator(),
    });
  }

  /** Starts everything on new, empty databases. Errors when another process uses the data folder. */
  static async open(options: ChaosStackOptions): Promise<ChaosStack> {
    const data_dir = join(options.data_dir, "chaos");
    const postgres = await startEmbeddedPostgres({ data_dir, on_progress: options.on_progress });
    try {
      if (!postgres.is_owner)
        throw new Error(
          `another process uses the PostgreSQL in ${data_dir}, which this run would kill: stop that process first`,
        );
      await emptyServer(postgres.superuser_url);
      const newSecret = (): string => `whsec_${randomBytes(24).toString("base64")}`;
      const secrets = { webhook_secret: newSecret(), status_secret: newSecret() };
      const simulator_port = await chooseFreePort();
      const environment = settings({ ...secrets, simulator_port });
      const processes = await startStack({
        data_dir,
        database_url: postgres.superuser_url,
        database: "pacioli",
        port: options.port,
        simulator_port,
        has_webhooks: true,
        environment,
        on_progress: options.on_progress,
      });
      return new ChaosStack({
        config: loadConfig("development", { ...inheritedEnvironment(), ...environment }),
        processes,
        postgres,
        ...secrets,
        data_dir,
      });
    } catch (error) {
      await postgres.stop();
      throw error;
    }
  }

  /** Ends PostgreSQL with this signal (SIGKILL: as a power cut; SIGINT: as its administrator) and starts it again on the same port. */
  async restartPostgres(signal: "SIGKILL" | "SIGINT", down_ms: number): Promise<void> {
    const { process_id, port } = this.#postgres;
    process.kill(process_id, signal);
    await sleep(down_ms);
    this.#postgres = await startEmbeddedPostgres({ data_dir: this.#dataDir, port });
    if (this.#postgres.port !== port)
      throw new Error(
        `PostgreSQL came back on port ${this.#postgres.port}, because another process took ${port}`,
      );
  }

  /** The settings of a start at which the account that charges cards is not configured. */
  withoutAccount(): Readonly<Record<string, string>> {
    return { PSP_ACCOUNTS: accountsAt(Number(new URL(this.processes.simulator_url).port), [spare_account]) };
  }

  /**
   * Freezes the service after a claim until another one takes over its work when the lease ends; when it
   * continues it cannot connect to the PSP. `passings`: which claim, counted from its restart.
   */
  async freezeService(freeze: { passings: number; late_ms: number; down_ms: number }): Promise<void> {
    const { passings, late_ms, down_ms } = freeze;
    await this.service.kill({ environment: { FREEZE_POINT: `after_claim:${passings}` } });
    const standIn = this.processes.anotherService();
    try {
      await standIn.start();
      await sleep(this.config.payments.lease_seconds * 1_000 + late_ms);
      await this.simulator.kill({ down_ms });
      this.processes.service.thaw();
      await sleep(down_ms);
    } finally {
      await standIn.kill();
    }
  }

  /** Stops everything. The databases stay when they are to be looked at. */
  async close(isKept: boolean): Promise<void> {
    try {
      await Promise.all([this.service.release(), this.simulator.release()]);
      if (!isKept) await emptyServer(this.#postgres.superuser_url);
    } finally {
      await this.#postgres.stop();
    }
  }
}

/** The first one charges the cards of new orders. */
function accountsAt(simulator_port: number, names: readonly string[]): string {
  const shared = {
    kind: "stripe",
    secret_key_env: psp_key_name,
    webhook_secrets_env: "PSP_STRIPE_WEBHOOK_SECRET",
    api_base: `http://127.0.0.1:${simulator_port}`,
  };
  return JSON.stringify([
    ...names.map((name) => ({ name, ...shared })),
    { name: external_account, kind: "external", webhook_secrets_env: status_secret_name },
  ]);
}

type Secrets = Pick<ChaosStack, "webhook_secret" | "status_secret">;

function settings({
  webhook_secret,
  status_secret,
  simulator_port,
}: Secrets & { simulator_port: number }): Record<string, string> {
  const inherited = inheritedEnvironment();
  const isSet = (name: string): boolean =>
    (inherited[name] ?? "") !== "" || (inherited[`${name}_FILE`] ?? "") !== "";
  return {
    ...Object.fromEntries(Object.entries(quick).filter(([name]) => !isSet(name))),
    ...Object.fromEntries(ours.map((name) => [`${name}_FILE`, ""])),
    MIGRATION_DATABASE_URL: "",
    ALLOWED_HOSTS: "",
    CRASH_POINT: "",
    FREEZE_POINT: "",
    PSP_ROUTING: "",
    HOST: "127.0.0.1",
    SIMULATOR_HOST: "127.0.0.1",
    PSP_ACCOUNTS: accountsAt(simulator_port, [card_account, spare_account]),
    [psp_key_name]: psp_key,
    [status_secret_name]: status_secret,
    // The links of status pages are signed with it: a restart must not change them.
    PACIOLI_API_KEY: api_key,
    SECRET_KEY: randomBytes(32).toString("hex"),
    PSP_STRIPE_WEBHOOK_SECRET: webhook_secret,
    SIMULATOR_WEBHOOK_SECRET: webhook_secret,
  };
}

async function emptyServer(superuserUrl: string): Promise<void> {
  const server = new Database({ url: superuserUrl, application_name: "pacioli-chaos", connections_max: 1 });
  try {
    await dropChaosDatabases(server);
  } finally {
    await server.close();
  }
}
