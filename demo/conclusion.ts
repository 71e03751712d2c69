import type { ConsoleReport } from "../console/console-report.ts";
import type { Checks } from "./checks.ts";

/** Prints the result: all checks passed, or the ones that failed. Returns the exit code. */
export function conclude(report: ConsoleReport, checks: Checks, seconds: number): 0 | 1 {
  if (checks.broken.length === 0) {
    report.verdict(
      `All ${checks.checked_count} checks passed (${seconds.toFixed(1)} s). Everything is stopped.`,
      true,
    );
    report.line("Next: `npm start` keeps the same stack running and shows your first curl.");
    return 0;
  }
  report.verdict(`${checks.broken.length} of ${checks.checked_count} checks failed:`, false);
  for (const statement of checks.broken) report.line(`✗ ${statement}`);
  return 1;
}
