import { join } from "node:path";
import { Command } from "commander";
import { ConsoleReport } from "../console/console-report.ts";
import { interruption } from "../console/interruption.ts";
import { monotonicMilliseconds } from "../src/clock.ts";
import { loadConfig } from "../src/config/config.ts";
import { chooseFreePort } from "../src/db/embedded/embedded-postgres.ts";
import { messageOf } from "../src/errors.ts";
import { describeRun, findBroken } from "./report.ts";
import { runChaos, type ChaosReport } from "./run.ts";

type ChaosSettings = {
  readonly seed: string;
  readonly payments: string;
  readonly keep?: true;
  readonly verbose?: true;
};

const seed_max = 2 ** 32 - 1;
const payments_max = 10_000;
/** Of one claim; the count says how many there are. */
const faults_shown_max = 20;

/** Exit code 0 only if every claim holds, 2 if the run itself was not possible. */
async function chaos(settings: ChaosSettings): Promise<void> {
  const seed = wholeNumber("--seed", settings.seed, 0, seed_max);
  const payments = wholeNumber("--payments", settings.payments, 1, payments_max);
  const start = monotonicMilliseconds();
  const consoleReport = new ConsoleReport(process.stdout);
  const { data_dir } = loadConfig("development");
  const signal = interruption();
  consoleReport.title(
    `Chaos, seed ${seed}`,
    "Real processes, killed for real. The PSP keeps its own books, and at the end every charge is compared.",
  );
  try {
    const report = await runChaos({
      seed,
      payments,
      data_dir,
      port: await chooseFreePort(),
      is_kept: settings.keep === true,
      signal,
      on_phase: (title, subtitle) => consoleReport.heading(title, subtitle),
      on_progress: (line) => consoleReport.line(line),
      on_fault: (line) => {
        if (settings.verbose === true) consoleReport.line(line);
      },
    });
    process.exitCode = conclude(consoleReport, report, payments, (monotonicMilliseconds() - start) / 1_000);
    if (settings.keep === true)
      consoleReport.line(
        `The databases are kept: PACIOLI_DATA_DIR=${join(data_dir, "chaos")} npm run verify (shell, start).`,
      );
  } catch (error) {
    consoleReport.verdict(
      signal.aborted
        ? "Interrupted. Everything is stopped."
        : `The run could not be completed: ${messageOf(error)}`,
      false,
    );
    process.exitCode = signal.aborted ? 130 : 2;
  }
}

function conclude(
  consoleReport: ConsoleReport,
  report: ChaosReport,
  payments: number,
  seconds: number,
): 0 | 1 {
  for (const { statement, checked_count, faults } of report.checks) {
    const shown = faults.slice(0, faults_shown_max).map(({ subject, problem }) => `${subject}: ${problem}`);
    const more = faults.length > shown.length ? [`… ${faults.length} in all`] : [];
    consoleReport.claim({
      statement: `${statement} (${checked_count})`,
      is_true: faults.length === 0,
      details: [...shown, ...more],
    });
  }
  consoleReport.blank();
  for (const line of describeRun(report)) consoleReport.line(line);
  const broken = findBroken(report);
  if (broken.length === 0) {
    consoleReport.verdict(`All ${report.checks.length} checks passed (${seconds.toFixed(0)} s).`, true);
    return 0;
  }
  consoleReport.verdict(
    `${broken.length} of ${report.checks.length} checks failed. To repeat: npm run chaos -- --seed ${report.seed} --payments ${payments} --verbose --keep`,
    false,
  );
  return 1;
}

function wholeNumber(name: string, text: string, min: number, max: number): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new Error(`${name}: "${text}" is not a whole number from ${min} to ${max}`);
}

const program = new Command("npm run chaos --")
  .description(
    "A seeded history of payments under faults, then every promise checked; exit 1 if one is broken.",
  )
  .requiredOption("--seed <number>", "the same seed: the same checkouts and faults")
  .option("--payments <count>", "payment orders in all", "300")
  .option("--keep", "leave the databases for a look")
  .option("--verbose", "print each fault")
  .action(chaos);

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exitCode = 1;
}
