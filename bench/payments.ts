import { verifyBooks } from "../src/cli/verify.ts";
import { openDatabase } from "../src/cli/compose.ts";
import { startStack, type Stack } from "../src/cli/stack.ts";
import { ensureDatabase } from "../src/db/embedded/embedded-postgres.ts";
import type { Database } from "../src/db/db.ts";
import { added_rate_per_second, measureAddedLatency, type AddedLatency } from "./added-latency.ts";
import { freshDatabase, type Server } from "./server.ts";
import { percentile, printJson, printTable, progress } from "./report.ts";
import { connections, measureThroughput } from "./throughput.ts";

const load_seconds = 15;
const latency_seconds = 10;

/**
 * The whole path: accepted over HTTP, charged at the simulator through the Stripe SDK, posted and final,
 * with the load generator, the simulator and PostgreSQL on the same machine and durable commits.
 */
export async function benchPayments(server: Server, options: { has_webhooks: boolean }): Promise<void> {
  const name = await freshDatabase(server, "pacioli_bench_payments");
  await ensureDatabase(server.url, name);
  const stack = await startStack({
    data_dir: server.data_dir,
    database_url: server.url,
    database: name,
    port: 18_090,
    simulator_port: 0,
    has_webhooks: options.has_webhooks,
    on_progress: progress,
    environment: { LOG_LEVEL: "error", RATE_LIMIT_PER_SECOND: "1000000", PSP_CONCURRENCY: "256" },
  });
  const database = openDatabase(stack.database_url, 3, "bench");
  try {
    await load(stack, 2, database);
    const throughput = await load(stack, load_seconds, database);
    progress(`${added_rate_per_second}/s for ${latency_seconds} s …`);
    const latency = summarize(await measureAddedLatency(stack.service_url, database, latency_seconds));
    progress("verifying the books …");
    const verifying_since = performance.now();
    const checks = await verifyBooks(database);
    const verify_seconds = (performance.now() - verifying_since) / 1_000;
    const faults = checks.flatMap((check) => check.faults);
    const charges = (await fetch(`${stack.simulator_url}/_simulator/effects/summary`).then((response) =>
      response.json(),
    )) as { charges: number; duplicate_orders: string[] };
    const [paid] = await database.query<{ count: bigint }>(
      "select count(*) from payment_orders where status = 'SUCCESS'",
    );
    printTable(
      `Payments, ${connections} connections, ${load_seconds} s, webhooks ${options.has_webhooks ? "on" : "off"}`,
      [
        { figure: "accepted/s", value: Math.round(throughput.accepted_per_second) },
        {
          figure: "finished/s (until the last one is final)",
          value: Math.round(throughput.finished_per_second),
        },
        { figure: "answers that were not 202", value: throughput.refused },
        { figure: `POST answered at full load, p50 ms`, value: throughput.answer_ms_p50 },
        { figure: `POST answered at full load, p99 ms`, value: throughput.answer_ms_p99 },
        { figure: `added latency at ${added_rate_per_second}/s, p50 ms`, value: latency.added_ms_p50 },
        { figure: `added latency at ${added_rate_per_second}/s, p99 ms`, value: latency.added_ms_p99 },
        { figure: `PSP call at ${added_rate_per_second}/s, p50 ms`, value: latency.psp_ms_p50 },
        { figure: "checks of the books during the run, all right", value: throughput.checks_passed },
        {
          figure: "orders paid / charges at the simulator",
          value: `${paid?.count ?? "?"} / ${charges.charges}`,
        },
        { figure: "books verified at the end, s", value: verify_seconds },
        { figure: "faults in the books at the end", value: faults.length },
      ],
    );
    printJson({
      benchmark: "payments",
      has_webhooks: options.has_webhooks,
      ...throughput,
      ...latency,
      verify_seconds,
      faults: faults.length,
      charges: charges.charges,
      paid: Number(paid?.count ?? 0),
    });
    if (faults.length > 0 || charges.duplicate_orders.length > 0 || Number(paid?.count) !== charges.charges)
      process.exitCode = 1;
  } finally {
    await database.close();
    await stack.stop();
  }
}

const summarize = ({ added_ms, psp_ms }: AddedLatency) => ({
  added_ms_p50: percentile(added_ms, 0.5),
  added_ms_p99: percentile(added_ms, 0.99),
  psp_ms_p50: percentile(psp_ms, 0.5),
});

async function load(stack: Stack, seconds: number, database: Database) {
  progress(`load for ${seconds} s …`);
  let is_over = false;
  let checks_passed = 0;
  const checking = checkWhile(
    database,
    () => is_over,
    () => {
      checks_passed += 1;
    },
  );
  const throughput = await measureThroughput(stack.service_url, database, seconds);
  is_over = true;
  await checking;
  return { ...throughput, checks_passed };
}

/** Looks at the trial balance and at floors again and again while money moves. */
async function checkWhile(database: Database, isOver: () => boolean, passed: () => void): Promise<void> {
  while (!isOver()) {
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const wrong = await database.query(
      "select currency from ledger_accounts group by currency having sum(balance_minor) <> 0",
    );
    if (wrong.length > 0) throw new Error("the books were out of balance during the run");
    passed();
  }
}
