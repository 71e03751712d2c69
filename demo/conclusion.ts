import type { Claims } from "./claims.ts";
import type { Paper } from "../console/paper.ts";

/** Prints the result: all checks passed, or the ones that failed. Returns the exit code. */
export function conclude(paper: Paper, claims: Claims, seconds: number): 0 | 1 {
  if (claims.broken.length === 0) {
    paper.verdict(
      `All ${claims.checked_count} checks passed (${seconds.toFixed(1)} s). Everything is stopped.`,
      true,
    );
    paper.line("Next: `npm start` keeps the same stack running and shows your first curl.");
    return 0;
  }
  paper.verdict(`${claims.broken.length} of ${claims.checked_count} checks failed:`, false);
  for (const statement of claims.broken) paper.line(`✗ ${statement}`);
  return 1;
}
