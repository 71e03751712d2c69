import { ConsoleReport } from "../console/console-report.ts";
import { interruption } from "../console/interruption.ts";
import { monotonicMilliseconds } from "../src/clock.ts";
import { loadConfig } from "../src/config/config.ts";
import { messageOf } from "../src/errors.ts";
import { Checks } from "./checks.ts";
import { Client } from "./client.ts";
import { conclude } from "./conclusion.ts";
import { api_key, Stage } from "./stage.ts";
import { runSteps, type Step } from "./step-context.ts";
import { countEverything, verifyTheBooks } from "./steps-audit.ts";
import { proveBalance, showLedger, showWallets } from "./steps-books.ts";
import { captureLater } from "./steps-captures.ts";
import { createEvent, executeOrders } from "./steps-checkout.ts";
import { declineAndRetry, killInTheMiddle, transientFailure } from "./steps-failures.ts";
import { repeatCheckout } from "./steps-repetition.ts";

const steps: readonly Step[] = [
  createEvent,
  executeOrders,
  showWallets,
  showLedger,
  proveBalance,
  repeatCheckout,
  declineAndRetry,
  transientFailure,
  killInTheMiddle,
  countEverything,
  captureLater,
  verifyTheBooks,
];

/** Shows the whole path of payments on its own stack; the exit code is 0 only if every check passed. */
async function demo(): Promise<void> {
  const start = monotonicMilliseconds();
  const report = new ConsoleReport(process.stdout);
  const checks = new Checks((claim) => report.claim(claim));
  const signal = interruption(() => process.stdout.write("\nStopping everything …\n"));
  const stage = new Stage(loadConfig("development"));
  report.title(
    "Pacioli demo",
    "Real processes, a real PostgreSQL, a PSP that keeps its own books. Each ✓ was checked just now.",
  );
  try {
    const stack = await stage.open((line) => report.line(line), signal);
    const client = new Client({
      service_url: stack.service_url,
      simulator_url: stack.simulator_url,
      api_key,
      signal,
    });
    await runSteps(steps, { stack, client, report, checks, first_answers: new Map() }, signal);
  } catch (error) {
    if (!signal.aborted) checks.fail("the demo starts", messageOf(error));
  } finally {
    await stage.close();
  }
  if (signal.aborted) {
    report.verdict("Interrupted. Everything is stopped.", false);
    process.exitCode = 130;
    return;
  }
  process.exitCode = conclude(report, checks, (monotonicMilliseconds() - start) / 1_000);
}

try {
  await demo();
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exitCode = 1;
}
