import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { openDatabase } from "../src/cli/compose.ts";
import type { Stack, startStack as startStackOfType } from "../src/cli/stack.ts";
import type { Database } from "../src/db/db.ts";
import { checkout } from "./checkout.ts";
import { Client, closedLoop } from "./load.ts";
import { progress } from "./report.ts";

const warm_up_seconds = 6;
const rest_seconds = 10;

/** A commit, in a folder with its packages. */
export type Side = { readonly name: string; readonly folder: string };

export type RunningSide = Side & { readonly stack: Stack; readonly database: Database };

/**
 * Runs both sides at once, each with its own service, simulator and PostgreSQL, warmed up, for as long as
 * `work` takes. The stack is each side's own code; the load is this working tree's.
 */
export async function withTwoStacks<Result>(
  [before, after]: readonly [Side, Side],
  options: { readonly has_webhooks: boolean },
  work: (sides: readonly [RunningSide, RunningSide]) => Promise<Result>,
): Promise<Result> {
  const running: RunningSide[] = [];
  const start = async (side: Side, port: number): Promise<RunningSide> => {
    const started = await startSide(side, port, options.has_webhooks);
    running.push(started);
    return started;
  };
  try {
    const sides = [await start(before, 18_091), await start(after, 18_092)] as const;
    await sleep(rest_seconds * 1_000);
    return await work(sides);
  } finally {
    for (const { database, stack } of running) {
      await database.close();
      await stack.stop();
    }
  }
}

/** A side's stack by its own code, on a new database, warmed up. */
async function startSide(side: Side, port: number, has_webhooks: boolean): Promise<RunningSide> {
  progress(`starting ${side.name} …`);
  const data_dir = join(side.folder, ".pacioli/bench-by-turns");
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
