import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { ConsoleReport } from "../console/console-report.ts";
import { Checks } from "./checks.ts";
import { conclude } from "./conclusion.ts";
import { runSteps, type Step } from "./step-context.ts";

type Parts = { readonly checks: Checks; readonly report: ConsoleReport };

/** Runs steps without a stack; gives what was printed and the exit code. */
async function runPrinted(runs: readonly Step<Parts>["run"][], signal = new AbortController().signal) {
  const out = new PassThrough({ encoding: "utf8" });
  const report = new ConsoleReport(out);
  const checks = new Checks((claim) => report.claim(claim));
  await runSteps(
    runs.map((run, index) => ({ title: `Step ${index + 1}`, proves: "what it proves", run })),
    { report, checks },
    signal,
  );
  const exitCode = conclude(report, checks, 1.5);
  return { exitCode, printed: String(out.read()) };
}

test("a demo whose checks are all true says how many there were and exits 0", async () => {
  const { exitCode, printed } = await runPrinted([
    async ({ checks }) => {
      checks.check("two and two are four", 2 + 2, 4);
      checks.check("lists are held member by member", [["a", 1n], { b: null }], [["a", 1n], { b: null }]);
    },
  ]);
  expect(exitCode).toBe(0);
  expect(printed).toContain("1. Step 1\n   what it proves\n   ✓ two and two are four\n");
  expect(printed).toContain("All 2 checks passed (1.5 s).");
});

test("one lie among true checks is marked, shown with what was found, named again at the end, and exits 1", async () => {
  const { exitCode, printed } = await runPrinted([
    async ({ checks }) => {
      checks.check("true before", true, true);
      checks.check("both sides come to 45.49", ["45.49", "45.48"], ["45.49", "45.49"]);
    },
    async ({ checks }) => checks.check("true after", 1, 1),
  ]);
  expect(exitCode).toBe(1);
  expect(printed).toContain(
    "   ✗ both sides come to 45.49\n       needed [ '45.49', '45.49' ]\n       found  [ '45.49', '45.48' ]\n",
  );
  expect(printed).toContain("   ✓ true after\n");
  expect(printed).toMatch(/1 of 3 checks failed:\n {3}✗ both sides come to 45\.49\n$/);
});

test("a step that breaks off is a broken claim and ends the demo", async () => {
  const { exitCode, printed } = await runPrinted([
    async ({ checks }) => checks.check("true before", true, true),
    async () => {
      throw new Error("order-bob is EXECUTING, not SUCCESS, after 15 s");
    },
    async ({ checks }) => checks.check("never reached", true, true),
  ]);
  expect(exitCode).toBe(1);
  expect(printed).toContain(
    '✗ "Step 2" runs to its end\n       order-bob is EXECUTING, not SUCCESS, after 15 s\n',
  );
  expect(printed).not.toContain("Step 3");
});

test("an interruption is no broken claim: it ends the demo at once", async () => {
  const controller = new AbortController();
  const running = runPrinted(
    [
      async () => {
        controller.abort();
        throw new Error("the request under way was cut");
      },
    ],
    controller.signal,
  );
  await expect(running).rejects.toThrow(/aborted/);
});
