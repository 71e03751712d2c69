import { verifyBooks } from "../src/cli/verify.ts";
import { openDatabase } from "../src/cli/compose.ts";
import { startStack, type Stack } from "../src/cli/stack.ts";
import { ensureDatabase } from "../src/db/embedded/embedded-postgres.ts";
import type { Database } from "../src/db/db.ts";
import { Client, closedLoop } from "./load.ts";
import { freshDatabase, type Server } from "./server.ts";
import { percentile, printJson, printTable, progress } from "./report.ts";

const load_seconds = 15;
const latency_seconds = 10;
const latency_rate_per_second = 100;
/** How long the last payments of the latency phase may take to become final. */
const finish_seconds_max = 30;
/** Rows are looked for this far behind the newest one seen, because a number taken early can be committed late. */
const late_commit_window = 300n;
const connections = 256;
const sellers = 1_000;

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
    const latency = await measureLatency(stack, database);
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
        { figure: `added latency at ${latency_rate_per_second}/s, p50 ms`, value: latency.added_ms_p50 },
        { figure: `added latency at ${latency_rate_per_second}/s, p99 ms`, value: latency.added_ms_p99 },
        { figure: `PSP call at ${latency_rate_per_second}/s, p50 ms`, value: latency.psp_ms_p50 },
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

let count = 0;

function checkout(): string {
  count += 1;
  const id = `${Date.now().toString(36)}-${count}`;
  return JSON.stringify({
    checkout_id: `checkout-${id}`,
    buyer_info: { user_id: `buyer-${count % 5_000}`, email: "buyer@example.com" },
    credit_card_info: { token: "tok_visa_4242", last4: "4242" },
    payment_orders: [
      {
        payment_order_id: `order-${id}`,
        seller_account: `seller-${count % sellers}`,
        amount: `${1 + (count % 500)}.99`,
        currency: "USD",
      },
    ],
  });
}

async function load(stack: Stack, seconds: number, database: Database) {
  progress(`load for ${seconds} s …`);
  const client = new Client(stack.service_url, connections);
  const start = performance.now();
  const answers: number[] = [];
  let accepted = 0;
  let refused = 0;
  let checks_passed = 0;
  const isOver = (): boolean => performance.now() - start > seconds * 1_000;
  const checking = checkWhile(database, isOver, () => {
    checks_passed += 1;
  });
  await closedLoop(connections, isOver, async () => {
    const sent = performance.now();
    const status = await client.post("/api/v1/payments", checkout());
    answers.push(performance.now() - sent);
    if (status === 202) accepted += 1;
    else refused += 1;
  });
  const acceptedSeconds = (performance.now() - start) / 1_000;
  await drained(database);
  const finishedSeconds = (performance.now() - start) / 1_000;
  await checking;
  client.close();
  answers.sort((a, b) => a - b);
  return {
    accepted_per_second: accepted / acceptedSeconds,
    finished_per_second: accepted / finishedSeconds,
    refused,
    checks_passed,
    answer_ms_p50: percentile(answers, 0.5),
    answer_ms_p99: percentile(answers, 0.99),
  };
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

async function drained(database: Database): Promise<void> {
  for (;;) {
    const [row] = await database.query<{ open: boolean }>(
      "select exists (select 1 from payment_orders where status in ('NOT_STARTED', 'EXECUTING', 'UNKNOWN', 'PENDING', 'RETRY_SCHEDULED')) as open",
    );
    if (row?.open === false) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** When each payment of the latency phase was sent, and when it was first seen to be final. */
type Times = { readonly sent_at: Map<string, number>; readonly seen_at: Map<string, number> };

/**
 * Open loop at a fixed rate. A payment's added latency is the time from sending its POST until its
 * final state can be read by another connection (looked for every 2 ms, so up to 2 ms too much),
 * less the time its PSP call took.
 */
async function measureLatency(stack: Stack, database: Database) {
  progress(`${latency_rate_per_second}/s for ${latency_seconds} s …`);
  const client = new Client(stack.service_url, connections);
  const times: Times = { sent_at: new Map(), seen_at: new Map() };
  const [last] = await database.query<{ number: bigint | null }>(
    "select max(transition_number) as number from payment_order_transitions",
  );
  let deadline = Number.POSITIVE_INFINITY;
  let isSending = true;
  const watching = watch(database, last?.number ?? 0n, times, () => {
    const unseen = times.sent_at.size - times.seen_at.size;
    if (performance.now() > deadline)
      throw new Error(`${unseen} payments were not final after ${finish_seconds_max} s`);
    return isSending || unseen > 0;
  });
  await sendAtFixedRate(client, times);
  isSending = false;
  deadline = performance.now() + finish_seconds_max * 1_000;
  await watching;
  client.close();
  const calls = await database.query<{ payment_order_id: string; psp_call_ms: number }>(
    "select payment_order_id, psp_call_ms from payment_attempts where payment_order_id = any ($1::text[])",
    [[...times.sent_at.keys()]],
  );
  const added = calls
    .map(({ payment_order_id: id, psp_call_ms }) => elapsed(times, id) - psp_call_ms)
    .sort((a, b) => a - b);
  const psp = calls.map((call) => call.psp_call_ms).sort((a, b) => a - b);
  return {
    added_ms_p50: percentile(added, 0.5),
    added_ms_p99: percentile(added, 0.99),
    psp_ms_p50: percentile(psp, 0.5),
  };
}

async function sendAtFixedRate(client: Client, { sent_at }: Times): Promise<void> {
  const posts: Promise<number>[] = [];
  const start = performance.now();
  for (let i = 0; i < latency_rate_per_second * latency_seconds; i++) {
    const due = start + (i * 1_000) / latency_rate_per_second;
    const wait = due - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    const body = checkout();
    const {
      payment_orders: [order],
    } = JSON.parse(body) as { payment_orders: [{ payment_order_id: string }] };
    sent_at.set(order.payment_order_id, performance.now());
    posts.push(client.post("/api/v1/payments", body));
  }
  await Promise.all(posts);
}

function elapsed({ sent_at, seen_at }: Times, id: string): number {
  const [sent, seen] = [sent_at.get(id), seen_at.get(id)];
  if (sent === undefined || seen === undefined) throw new Error(`payment ${id} was not seen`);
  return seen - sent;
}

/** Looks for the payments that became final until `isOn` says no. */
async function watch(
  database: Database,
  from: bigint,
  { sent_at, seen_at }: Times,
  isOn: () => boolean,
): Promise<void> {
  let last = from;
  while (isOn()) {
    const rows = await database.query<{ payment_order_id: string; transition_number: bigint }>(
      `select payment_order_id, transition_number from payment_order_transitions
        where transition_number > $1 and to_status = 'SUCCESS'`,
      [last - late_commit_window],
    );
    const seen = performance.now();
    for (const { payment_order_id: id, transition_number } of rows) {
      if (sent_at.has(id) && !seen_at.has(id)) seen_at.set(id, seen);
      if (transition_number > last) last = transition_number;
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
