/** Writes openapi.json from the routes. No database is needed: the parts are real, and none of them connects before it is used. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openDatabase } from "../src/cli/compose.ts";
import { createClock } from "../src/clock.ts";
import { loadConfig } from "../src/config/config.ts";
import { ReadDatabase } from "../src/db/db.ts";
import { buildApp, type App } from "../src/http/http.ts";
import { Jobs } from "../src/jobs/jobs.ts";
import { createLogger } from "../src/log.ts";
import { createNextActionSealing, createPayments } from "../src/payments/payments.ts";
import { PspRouter } from "../src/psp/psp.ts";
import { createStripe } from "../src/psp/stripe/stripe.ts";
import { openInbox } from "../src/webhooks/webhooks.ts";

export const openApiFile = join(import.meta.dirname, "../openapi.json");

/** The text of openapi.json as the routes of this version make it. */
export function printOpenApi(): Promise<string> {
  return withApp((app) => `${JSON.stringify(app.swagger(), undefined, 2)}\n`);
}

/** The API with all its routes and nothing behind them, for as long as `use` takes. */
export async function withApp<T>(use: (app: App) => T): Promise<T> {
  const config = loadConfig("development", {});
  const log = createLogger("silent");
  const url = "postgres://127.0.0.1/nowhere";
  const database = openDatabase(url, 1, "pacioli-openapi");
  const jobs = new Jobs({ url, log, lease_seconds: config.payments.lease_seconds, is_supervisor: false });
  const stripe = createStripe({
    name: "stripe",
    secret_key: "sk_test_none",
    webhook_secrets: [],
    timeout_ms: 1_000,
    connections_max: 1,
  });
  const router = new PspRouter([stripe], {
    failures_in_a_row: config.psp.breaker_failures,
    open_seconds: config.psp.breaker_open_seconds,
  });
  const clock = createClock(0);
  const { intake, actions } = createPayments(
    { database, jobs, log, router, clock, sealing: createNextActionSealing(""), statusUrlOf: () => "" },
    config.payments,
    { is_worker: false },
  );
  const app = await buildApp({
    database,
    reads: new ReadDatabase(database, { at_once_max: 1, waiting_max: 1, wait_ms_max: 1 }),
    checkDatabase: async () => undefined,
    jobs,
    log,
    clock,
    router,
    intake,
    actions,
    inbox: openInbox(database, jobs),
    settings: {
      secret_key: config.secret_key,
      development_key: undefined,
      allowed_hosts: [],
      trusted_proxies: [],
      return_url_origins: "any",
      status_link_seconds: config.status_link_seconds,
      rate_limit_per_second: config.rate_limit_per_second,
      calls_at_once_max: config.calls_at_once_max,
      request_timeout_seconds: config.request_timeout_seconds,
      idempotency_hours: config.payments.idempotency_hours,
    },
    isDraining: () => false,
  });
  try {
    return use(app);
  } finally {
    await app.close();
    await database.close();
  }
}

if (import.meta.main) await writeFile(openApiFile, await printOpenApi());
