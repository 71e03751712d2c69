import type { ChaosReport } from "./run.ts";

/** Describes the run for a person; the checks are printed separately. */
export function describeRun(report: ChaosReport): string[] {
  const counts = (map: ReadonlyMap<string, number>): string =>
    [...map]
      .toSorted(([a], [b]) => a.localeCompare(b, "en"))
      .map(([name, count]) => `${count} ${name}`)
      .join(", ");
  return [
    `orders    ${counts(report.states)}`,
    `answers   ${counts(report.answers)}`,
    ...report.open_cases.map(({ reason, count }) => `case      ${count} × ${reason}`),
  ];
}

/** The statements that do not hold, with what breaks them. */
export function findBroken(report: ChaosReport): string[] {
  return report.checks.filter((check) => check.faults.length > 0).map((check) => check.statement);
}
