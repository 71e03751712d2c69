import { compareFigure, measureByTurns, type Comparison } from "./by-turns.ts";
import { measureThroughput } from "./throughput.ts";
import { withTwoStacks, type Side } from "./two-stacks.ts";

const slices = 40;
const slice_seconds = 2;

/** Payments at full load: on one side at a time, for two seconds each in turn. */
export function comparePayments(
  sides: readonly [Side, Side],
  options: { readonly has_webhooks: boolean },
): Promise<readonly Comparison[]> {
  return withTwoStacks(sides, options, async (running) => {
    const pairs = await measureByTurns(running, slices, ({ stack, database }) =>
      measureThroughput(stack.service_url, database, slice_seconds),
    );
    return [
      compareFigure("accepted_per_second", pairs, (one) => one.accepted_per_second),
      compareFigure("finished_per_second", pairs, (one) => one.finished_per_second),
      compareFigure("answer_ms_p50", pairs, (one) => one.answer_ms_p50),
      compareFigure("answer_ms_p99", pairs, (one) => one.answer_ms_p99),
    ];
  });
}
