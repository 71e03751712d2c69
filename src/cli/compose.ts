/** The composition root: makes the rooms' parts and wires them to each other. */
import { createClock } from "../clock.ts";
import type { Config } from "../config/config.ts";
import { Database, ReadDatabase, type DatabaseOptions } from "../db/db.ts";
import { createEventWorkers } from "../events/events.ts";
import {
  buildApp,
  buildOperationsApp,
  createDatabaseCheck,
  statusUrl,
  type App,
  type HttpContext,
} from "../http/http.ts";
import { Jobs } from "../jobs/jobs.ts";
import { createCloser } from "../ledger/ledger.ts";
import { createLogger, type Logger } from "../log.ts";
import { observeInFlight } from "../metrics.ts";
import {
  createNextActionSealing,
  createPayments,
  selectInFlight,
  type Payments,
} from "../payments/payments.ts";
import { createPsp } from "../psp/adapters.ts";
import { PspRouter } from "../psp/psp.ts";
import { openInbox } from "../webhooks/webhooks.ts";
import { createVerifier } from "./verifier.ts";

export type Service = {
  readonly log: Logger;
  readonly database: Database;
  readonly jobs: Jobs;
  readonly app: App;
  /** Health and metrics, on a listener of their own. */
  readonly operations: App;
  readonly workers: Payments["workers"];
  /** Says "not ready" from now on. */
  drain(): void;
  close(): Promise<void>;
};

/** Everything one process needs to serve, to work, or both. Nothing listens or works yet. */
export async function composeService(
  config: Config,
  databaseUrl: string,
  options: { is_worker: boolean; has_api: boolean },
): Promise<Service> {
  const log = createLogger(config.log_level);
  const database = openDatabase(databaseUrl, config.database_connections_max, "pacioli");
  const reads = openReads(databaseUrl, config.reads);
  // A connection of its own, so that health checks work while every other connection is busy.
  const healthDatabase = openDatabase(databaseUrl, 1, "pacioli-health", { statement_timeout_ms: 1_000 });
  const jobs = new Jobs({
    url: databaseUrl,
    log,
    lease_seconds: config.payments.lease_seconds,
    is_supervisor: options.is_worker,
  });
  await jobs.start();
  const router = createRouter(config);
  const clock = createClock(config.clock_offset_seconds);
  const { intake, actions, workers } = createPayments(
    {
      database,
      jobs,
      log,
      router,
      clock,
      sealing: createNextActionSealing(config.secret_key),
      statusUrlOf: (checkout) => statusUrl(config, checkout),
    },
    config.payments,
    options,
  );
  const closer = createCloser({ database, log });
  const verifier = createVerifier(database, log);
  const eventWorkers = createEventWorkers({ database, log, retention_days: config.events_retention_days });
  const allWorkers: Payments["workers"] = {
    start() {
      workers.start();
      closer.start();
      verifier.start();
      eventWorkers.start();
    },
    async stop() {
      await Promise.all([workers, closer, verifier, eventWorkers].map((worker) => worker.stop()));
    },
  };
  const inbox = openInbox(database, jobs);
  const endObserving = observeInFlight(() => selectInFlight(healthDatabase, clock.now()));
  let isDraining = false;
  const context: HttpContext = {
    database,
    reads,
    checkDatabase: createDatabaseCheck(healthDatabase),
    jobs,
    log,
    clock,
    intake,
    actions,
    router,
    inbox,
    settings: {
      secret_key: config.secret_key,
      allowed_hosts: config.allowed_hosts,
      trusted_proxies: config.trusted_proxies,
      return_url_origins: config.return_url_origins,
      status_link_seconds: config.status_link_seconds,
      rate_limit_per_second: config.rate_limit_per_second,
      calls_at_once_max: config.calls_at_once_max,
      request_timeout_seconds: config.request_timeout_seconds,
      idempotency_hours: config.payments.idempotency_hours,
      development_key: config.api_key,
    },
    isDraining: () => isDraining,
  };
  const app = await buildApp(context, { has_api: options.has_api });
  const operations = await buildOperationsApp(context);
  return {
    log,
    database,
    jobs,
    app,
    operations,
    workers: allWorkers,
    drain: () => {
      isDraining = true;
    },
    async close() {
      isDraining = true;
      await app.close();
      await intake.close();
      await inbox.close();
      await allWorkers.stop();
      await jobs.stop();
      await reads.close();
      // Closed last: until then it reports that the process is not ready.
      await operations.close();
      endObserving();
      await healthDatabase.close();
      await database.close();
    },
  };
}

export function openDatabase(
  url: string,
  connections_max: number,
  application_name: string,
  more: Pick<DatabaseOptions, "statement_timeout_ms" | "is_read_only"> = {},
): Database {
  return new Database({ url, application_name, connections_max, ...more });
}

/** How long a read may take, and how long it may wait for its turn. */
const read_ms_max = 2_000;

function openReads(url: string, { connections_max, waiting_max }: Config["reads"]): ReadDatabase {
  const pool = openDatabase(url, connections_max, "pacioli-reads", {
    statement_timeout_ms: read_ms_max,
    is_read_only: true,
  });
  return new ReadDatabase(pool, { at_once_max: connections_max, waiting_max, wait_ms_max: read_ms_max });
}

function createRouter({ psp }: Config): PspRouter {
  const [first, ...others] = psp.accounts;
  return new PspRouter(
    [createPsp(first), ...[...others, ...psp.external_accounts].map((account) => createPsp(account))],
    {
      failures_in_a_row: psp.breaker_failures,
      open_seconds: psp.breaker_open_seconds,
      rules: psp.routing,
      calls_at_once_max: new Map(psp.accounts.map((account) => [account.name, account.calls_at_once_max])),
    },
  );
}
