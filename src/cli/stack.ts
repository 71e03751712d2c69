import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { loadConfig } from "../config/config.ts";
import { ensureServiceLogin } from "../db/db.ts";
import {
  ensureDatabase,
  startEmbeddedPostgres,
  type EmbeddedPostgres,
} from "../db/embedded/embedded-postgres.ts";
import { accountOfVariables } from "../psp/adapters.ts";
import { ChildProcess } from "./child-process.ts";
import { migrateDatabase } from "./migrate.ts";

const root = join(import.meta.dirname, "../..");

export type StackOptions = {
  /** Where the embedded PostgreSQL lives; ignored when `database_url` is set. */
  readonly data_dir: string;
  readonly database_url?: string | undefined;
  /** Names of the service's and the simulator's databases. */
  readonly database: string;
  readonly port: number;
  readonly simulator_port: number;
  /** The port of the service's health and metrics; any free one by default. */
  readonly operations_port?: number;
  /** More settings for the service and the simulator, as environment variables. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Whether the simulator sends webhooks to the service. */
  readonly has_webhooks: boolean;
  /** Where the simulator sends them, if not to the service. */
  readonly webhook_url?: string | undefined;
  readonly on_progress: (line: string) => void;
};

/** PostgreSQL, the PSP simulator and the service, each a process of its own, so that each can die alone. */
export type Stack = {
  readonly owner_url: string;
  /** With the service's login. */
  readonly database_url: string;
  readonly service: ChildProcess;
  readonly simulator: ChildProcess;
  readonly service_url: string;
  /** The address of the service's health and metrics: another port after each start, if none is set. */
  operationsUrl(): string;
  readonly simulator_url: string;
  /** Starts the service again after its death, on the same port, perhaps with other settings. */
  restartService(environment?: Readonly<Record<string, string>>): Promise<void>;
  restartSimulator(environment?: Readonly<Record<string, string>>): Promise<void>;
  /** A second service on the same database, on a port of its own; it does not run yet. */
  anotherService(): ChildProcess;
  /** Whether the embedded PostgreSQL still runs; another one is not watched. */
  isDatabaseRunning(): Promise<boolean>;
  stop(): Promise<void>;
};

/** Starts all three and resolves when they answer. */
export async function startStack(options: StackOptions): Promise<Stack> {
  const postgres =
    options.database_url === undefined
      ? await startEmbeddedPostgres({ data_dir: options.data_dir, on_progress: options.on_progress })
      : undefined;
  try {
    return await startOn(options, postgres);
  } catch (error) {
    await postgres?.stop();
    throw error;
  }
}

async function startOn(options: StackOptions, postgres: EmbeddedPostgres | undefined): Promise<Stack> {
  const superuserUrl = options.database_url ?? postgres?.superuser_url ?? "";
  const ownerUrl = withDatabase(superuserUrl, options.database);
  const simulatorDatabaseUrl = withDatabase(superuserUrl, `${options.database}_simulator`);
  await ensureDatabase(superuserUrl, options.database);
  await migrateDatabase(ownerUrl);
  const databaseUrl = await ensureServiceLogin(ownerUrl);

  const secrets = { webhook: `whsec_${randomBytes(24).toString("base64")}`, key: "sk_test_simulator" };
  const { name: account, variables } = accountOfVariables;
  const servicePort = options.port;
  const simulator = new ChildProcess({
    name: "simulator",
    script: join(root, "simulator/src/main.ts"),
    arguments: [],
    ready_event: "simulator_ready",
    environment: {
      SIMULATOR_DATABASE_URL: simulatorDatabaseUrl,
      SIMULATOR_PORT: String(options.simulator_port),
      SIMULATOR_SECRET_KEY: secrets.key,
      ...(options.has_webhooks
        ? {
            SIMULATOR_WEBHOOK_URL:
              options.webhook_url ?? `http://127.0.0.1:${servicePort}/api/v1/webhooks/${account}`,
            SIMULATOR_WEBHOOK_SECRET: secrets.webhook,
          }
        : {}),
      ...options.environment,
    },
  });
  const simulatorUrl = await simulator.start();
  const serviceOn = (port: number): ChildProcess =>
    new ChildProcess({
      name: "service",
      script: join(root, "src/main.ts"),
      arguments: ["run"],
      ready_event: "service_ready",
      environment: {
        DATABASE_URL: databaseUrl,
        MIGRATION_DATABASE_URL: "",
        PORT: String(port),
        OPERATIONS_PORT: port === servicePort ? String(options.operations_port ?? 0) : "0",
        [variables.secret_key]: secrets.key,
        [variables.api_base]: simulatorUrl,
        [variables.webhook_secrets]: secrets.webhook,
        PACIOLI_DATA_DIR: options.data_dir,
        ...options.environment,
      },
    });
  const service = serviceOn(servicePort);
  const serviceUrl = await service.start().catch(async (error: unknown) => {
    await service.kill();
    await simulator.stop();
    throw error;
  });
  return {
    owner_url: ownerUrl,
    database_url: databaseUrl,
    service,
    simulator,
    service_url: serviceUrl,
    simulator_url: simulatorUrl,
    operationsUrl: () => service.readyText("operations_url"),
    restartService: async (environment) => {
      await service.start(environment);
    },
    anotherService: () => serviceOn(0),
    restartSimulator: async (environment) => {
      await simulator.stop();
      await simulator.start({ SIMULATOR_PORT: new URL(simulatorUrl).port, ...environment });
    },
    isDatabaseRunning: async () => (postgres === undefined ? true : postgres.isRunning()),
    async stop() {
      await service.stop();
      await simulator.stop();
      await postgres?.stop();
    },
  };
}

function withDatabase(url: string, name: string): string {
  const changed = new URL(url);
  changed.pathname = `/${name}`;
  return changed.toString();
}

/** The stack as the environment describes it. */
export function startStackFromEnvironment(
  onProgress: (line: string) => void,
  changes: Partial<StackOptions> = {},
): Promise<Stack> {
  const config = loadConfig("development");
  return startStack({
    data_dir: config.data_dir,
    database_url: config.database_url,
    database: "pacioli",
    port: config.port,
    simulator_port: config.simulator.port,
    operations_port: config.operations.port,
    has_webhooks: true,
    webhook_url: config.simulator.webhook_url,
    on_progress: onProgress,
    ...changes,
  });
}
