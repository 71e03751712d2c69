import { setTimeout as sleep } from "node:timers/promises";
import { measureAddedLatency, type AddedLatency } from "./added-latency.ts";
import { compareFigure, measureByTurns, type Comparison } from "./by-turns.ts";
import { percentile } from "./report.ts";
import { withTwoStacks, type Side } from "./two-stacks.ts";

const slices = 40;
const slice_seconds = 2;

/** Added latency at a fixed rate: payments go to one side at a time, for two seconds each in turn. */
export function compareLatency(
  sides: readonly [Side, Side],
  options: { readonly has_webhooks: boolean },
): Promise<readonly Comparison[]> {
  return withTwoStacks(sides, options, async (running) => {
    const pairs = await measureByTurns(running, slices, async ({ stack, database }) => {
      const latency = await measureAddedLatency(stack.service_url, database, slice_seconds);
      await sleep(300);
      return latency;
    });
    const compare = (name: string, share: number, valuesOf: (latency: AddedLatency) => readonly number[]) =>
      compareFigure(name, pairs, (latency) => percentile(valuesOf(latency), share));
    return [
      compare("added_ms_p50", 0.5, ({ added_ms }) => added_ms),
      compare("added_ms_p90", 0.9, ({ added_ms }) => added_ms),
      compare("answer_ms_p50", 0.5, ({ answer_ms }) => answer_ms),
      compare("psp_ms_p50", 0.5, ({ psp_ms }) => psp_ms),
    ];
  });
}
