import type { ConsoleReport } from "../console/console-report.ts";
import type { Stack } from "../src/cli/cli.ts";
import { messageOf } from "../src/errors.ts";
import type { Checks } from "./checks.ts";
import type { Client } from "./client.ts";

/** What a step can use. */
export type StepContext = {
  readonly stack: Stack;
  readonly client: Client;
  readonly report: ConsoleReport;
  readonly checks: Checks;
  /** The bytes of first answers, by checkout id, for later steps to compare with. */
  readonly first_answers: Map<string, string>;
};

/** One step of the demo: a heading, what it is about to prove, and the doing. */
export type Step<Needs = StepContext> = {
  readonly title: string;
  readonly proves: string;
  readonly run: (context: Needs) => Promise<void>;
};

/** Runs the steps one after another. A step that breaks off counts as a broken claim and ends the demo. */
export async function runSteps<Needs extends Pick<StepContext, "report" | "checks">>(
  steps: readonly Step<Needs>[],
  context: Needs,
  signal: AbortSignal,
): Promise<void> {
  for (const step of steps) {
    signal.throwIfAborted();
    context.report.heading(step.title, step.proves);
    try {
      await step.run(context);
    } catch (error) {
      signal.throwIfAborted();
      context.checks.fail(`"${step.title}" runs to its end`, messageOf(error));
      return;
    }
  }
}
