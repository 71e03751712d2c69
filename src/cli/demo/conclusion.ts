import type { Claims } from "./claims.ts";
import type { Paper } from "./paper.ts";

/** The last words: all claims true, or which are not. Gives the exit code. */
export function conclude(paper: Paper, claims: Claims, seconds: number): 0 | 1 {
  if (claims.broken.length === 0) {
    paper.verdict(
      `All ${claims.checked_count} claims are true (${seconds.toFixed(1)} s). Everything is stopped again.`,
      true,
    );
    paper.line("npm start keeps the same stack running and shows your first curl.");
    return 0;
  }
  paper.verdict(`${claims.broken.length} of ${claims.checked_count} claims are not true:`, false);
  for (const statement of claims.broken) paper.line(`✗ ${statement}`);
  return 1;
}
