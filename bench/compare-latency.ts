import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { openDatabase } from "../src/cli/compose.ts";
import type { Database } from "../src/db/db.ts";
import type { Stack, startStack as startStackOfType } from "../src/cli/stack.ts";
import { measureAddedLatency, type AddedLatency } from "./added-latency.ts";
import { checkout } from "./checkout.ts";
import { median } from "./figures.ts";
import { Client, closedLoop } from "./load.ts";
import { percentile, progress } from "./report.ts";

const warm_up_seconds = 6;
const rest_seconds = 10;
const slice_seconds = 2;

export type Side = { readonly name: string; readonly folder: string };

type RunningSide = Side & { readonly stack: Stack; readonly database: Database };

export type LatencyComparison = {
  readonly name: string;
  readonly before: number;
  readonly after: number;
  /** The median of the ratios of neighboring slices: both saw the same machine. */
  readonly ratio: number;
  /** Of the ratio, as a share of it. */
  readonly standard_error: number;
};

/**
 * Both sides run at once, each with its own service, simulator and PostgreSQL, and payments go to one of them
 * at a time, for two seconds each in turn: from minute to minute the speed of a disk differs more than
 * two commits do. The stack is each side's own code; the load is this working tree's.
 */
export async function compareLatency(
  before: Side,
  after: Side,
  options: { readonly has_webhooks: boolean; readonly slices: number },
): Promise<readonly LatencyComparison[]> {
  const running: RunningSide[] = [];
  try {
    running.push(await start(before, 18_091, options.has_webhooks));
    running.push(await start(after, 18_092, options.has_webhooks));
    const [old, current] = running;
    if (old === undefined || current === undefined) throw new Error("a side is missing");
    await sleep(rest_seconds * 1_000);
    const pairs: { before: AddedLatency; after: AddedLatency }[] = [];
    for (let slice = 1; slice <= options.slices; slice++) {
      if (slice % 5 === 1) progress(`slice ${slice} of ${options.slices} …`);
      // The order changes with each slice, so that neither side always follows the other.
      if (slice % 2 === 1) pairs.push({ before: await measure(old), after: await measure(current) });
      else {
        const later = await measure(current);
        pairs.push({ before: await measure(old), after: later });
      }
    }
    return [
      compareShare("added_ms_p50", pairs, ({ added_ms }) => added_ms, 0.5),
      compareShare("added_ms_p90", pairs, ({ added_ms }) => added_ms, 0.9),
      compareShare("answer_ms_p50", pairs, ({ answer_ms }) => answer_ms, 0.5),
      compareShare("psp_ms_p50", pairs, ({ psp_ms }) => psp_ms, 0.5),
    ];
  } finally {
    for (const { database, stack } of running) {
      await database.close();
      await stack.stop();
    }
  }
}

function compareShare(
  name: string,
  pairs: readonly { readonly before: AddedLatency; readonly after: AddedLatency }[],
  valuesOf: (latency: AddedLatency) => readonly number[],
  share: number,
): LatencyComparison {
  const [before, after] = [
    pairs.map((pair) => percentile(valuesOf(pair.before), share)),
    pairs.map((pair) => percentile(valuesOf(pair.after), share)),
  ];
  const ratios = pairs.map((_, index) => (after[index] ?? Number.NaN) / (before[index] ?? Number.NaN));
  return {
    name,
    before: median(before),
    after: median(after),
    ratio: median(ratios),
    standard_error: standardErrorOfMedian(ratios.map(Math.log)),
  };
}

/** sqrt(pi / 2) times the standard error of the mean: the median of about normal values. */
function standardErrorOfMedian(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
  return Math.sqrt(Math.PI / 2) * Math.sqrt(variance / values.length);
}

async function measure({ stack, database }: RunningSide): Promise<AddedLatency> {
  const latency = await measureAddedLatency(stack.service_url, database, slice_seconds);
  await sleep(300);
  return latency;
}

/** A side's stack by its own code, on a new database, warmed up. */
async function start(side: Side, port: number, has_webhooks: boolean): Promise<RunningSide> {
  progress(`starting ${side.name} …`);
  const data_dir = join(side.folder, ".pacioli/bench-latency");
  await rm(data_dir, { recursive: true, force: true });
  // Another commit's module: it is trusted to start its stack as this one does.
  const { startStack } = (await import(pathToFileURL(join(side.folder, "src/cli/stack.ts")).href)) as {
    startStack: typeof startStackOfType;
  };
  const stack = await startStack({
    data_dir,
    database: "pacioli",
    port,
    simulator_port: 0,
    has_webhooks,
    on_progress: progress,
    environment: { LOG_LEVEL: "error", RATE_LIMIT_PER_SECOND: "1000000", PSP_CONCURRENCY: "256" },
  });
  const client = new Client(stack.service_url, 256);
  const since = performance.now();
  await closedLoop(
    256,
    () => performance.now() - since > warm_up_seconds * 1_000,
    async () => {
      await client.post("/api/v1/payments", checkout());
    },
  );
  client.close();
  return { ...side, stack, database: openDatabase(stack.owner_url, 3, "bench") };
}
