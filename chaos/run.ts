import { openDatabase } from "../src/cli/cli.ts";
import { monotonicMilliseconds } from "../src/clock.ts";
import type { Check } from "../src/ledger/ledger.ts";
import { crashPointNames } from "../src/payments/payments.ts";
import { audit } from "./audit.ts";
import { ChaosStack, api_key, psp_key } from "./chaos-stack.ts";
import { runClients } from "./clients.ts";
import { FaultInjector } from "./fault-injector.ts";
import { HttpClient } from "./http-client.ts";
import { Journal } from "./journal.ts";
import { planCheckouts } from "./plan.ts";
import { selectOpenCases, selectOutcomes, type Unsettled } from "./queries.ts";
import { endFaults, quietSecondsMax, waitForQuiet } from "./quiet.ts";
import { Random } from "./random.ts";
import { scheduleFaults, type ScheduledFault } from "./schedule.ts";

export type ChaosOptions = {
  readonly seed: number;
  /** Payment orders in all. */
  readonly payments: number;
  /** The run keeps its own PostgreSQL in a folder below. */
  readonly data_dir: string;
  /** Where the service will listen: a free port. */
  readonly port: number;
  /** Keeps the databases for inspection. */
  readonly is_kept: boolean;
  readonly signal: AbortSignal;
  /** Told of the phases as they begin. */
  readonly on_phase: (title: string, subtitle: string) => void;
  readonly on_progress: (line: string) => void;
  readonly on_fault: (line: string) => void;
};

/** The result of a run. */
export type ChaosReport = {
  readonly seed: number;
  readonly schedule: readonly ScheduledFault[];
  readonly checkouts: number;
  readonly deaths: { readonly service: number; readonly simulator: number };
  /** How often each answer came, by request. */
  readonly answers: ReadonlyMap<string, number>;
  /** Orders by their last state. */
  readonly states: ReadonlyMap<string, number>;
  readonly open_cases: readonly { readonly reason: string; readonly count: number }[];
  readonly checks: readonly Check[];
  readonly history_seconds: number;
  readonly quiet_seconds: number;
};

/** What a seed decides: the checkouts, their clients' habits, the faults. */
export function planChaos(
  seed: number,
  payments: number,
): { plan: ReturnType<typeof planCheckouts>; schedule: ScheduledFault[] } {
  const random = new Random(seed);
  const plan = planCheckouts(random.fork("checkouts"), payments);
  return { plan, schedule: scheduleFaults(random.fork("faults"), plan.length, crashPointNames) };
}

/**
 * Runs checkouts under faults, waits until everything is decided, then runs all checks. A failed check is in
 * the report; an error means that the run itself failed.
 */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const stack = await ChaosStack.open(options);
  try {
    return await runAt(stack, options);
  } finally {
    await stack.close(options.is_kept);
  }
}

async function runAt(stack: ChaosStack, options: ChaosOptions): Promise<ChaosReport> {
  const { seed, signal, on_phase, on_progress } = options;
  const { plan, schedule } = planChaos(seed, options.payments);
  const random = new Random(seed).fork("webhooks");
  const { service_url, simulator_url, database_url } = stack.processes;
  const context = {
    http: new HttpClient({ service_url, simulator_url, api_key, psp_key, signal }),
    journal: new Journal(),
    signal,
    status_secret: stack.status_secret,
  };

  on_phase(
    "Faults",
    `${options.payments} payments in ${plan.length} checkouts from 8 concurrent clients, and ${schedule.length} faults.`,
  );
  const start = monotonicMilliseconds();
  const on_fault = (line: string): void =>
    options.on_fault(`${((monotonicMilliseconds() - start) / 1_000).toFixed(1).padStart(5)} s  ${line}`);
  const injector = new FaultInjector({ ...context, stack, schedule, plan, random, on_fault });
  const history_seconds = await secondsOf(async () => {
    await runClients(context, plan, (step) => injector.reach(step));
    await injector.end();
  });
  const deaths = { service: stack.service.deaths, simulator: stack.simulator.deaths };
  on_progress(
    `${history_seconds.toFixed(1)} s; the service died ${deaths.service} times, the simulator ${deaths.simulator} times`,
  );

  on_phase("Recovery", "The faults are off and everything is restarted. Every order must now be decided.");
  await endFaults(stack, context.http, signal);
  const database = openDatabase(database_url, 4, "pacioli-chaos");
  try {
    const seconds_max = quietSecondsMax(stack.config, history_seconds);
    let moving: readonly Unsettled[] = [];
    const quiet_seconds = await secondsOf(async () => {
      moving = await waitForQuiet({
        database,
        acted: context.journal.acted,
        seconds_max,
        signal,
        on_progress,
      });
    });
    on_progress(
      `${moving.length === 0 ? "everything decided" : "NOT everything decided"} after ${quiet_seconds.toFixed(1)} s`,
    );
    on_phase("Checks", "Each check covers all the data.");
    const checks = await audit({ ...context, database, plan, webhook_secret: stack.webhook_secret, random });
    const states = Map.groupBy(await selectOutcomes(database), (outcome) => outcome.status);
    return {
      seed,
      schedule,
      checkouts: plan.length,
      deaths,
      checks,
      history_seconds,
      quiet_seconds,
      answers: context.journal.answers,
      open_cases: await selectOpenCases(database),
      states: new Map([...states].map(([status, orders]) => [status, orders.length])),
    };
  } finally {
    await database.close();
  }
}

async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const start = monotonicMilliseconds();
  await work();
  return (monotonicMilliseconds() - start) / 1_000;
}
