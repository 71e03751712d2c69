import { loadConfig } from "../config/config.ts";
import type { Check } from "../ledger/ledger.ts";
import { openDatabase } from "./compose.ts";
import { withServiceDatabase } from "./configured-database.ts";
import { verifyAndRecord } from "./verify-books.ts";
import type { NewVerifyRun } from "./verify-queries.ts";

export { verifyAndRecord, verifyBooks } from "./verify-books.ts";

/** The checks as lines for a person. */
export function describeChecks(checks: readonly Check[]): string[] {
  return checks.flatMap((check) => [
    `${check.faults.length === 0 ? "✓" : "✗"} ${check.statement} (${check.checked_count} checked)`,
    ...check.faults.map((fault) => `    ${fault.subject}: ${fault.problem}`),
  ]);
}

function describeScope({ from_closing_id, to_closing_id, took_ms }: NewVerifyRun): string {
  const from = from_closing_id === 0n ? "from the beginning" : `from closing ${from_closing_id}`;
  const last = to_closing_id === 0n ? "there is no closing yet" : `the last closing is ${to_closing_id}`;
  return `Verified ${from} up to now in ${(took_ms / 1_000).toFixed(1)} s; ${last}.`;
}

/** No statement about a slice or a portion of orders may take longer. */
const statement_timeout_ms = 60_000;

/**
 * `pacioli verify`: recomputes what came since the last faultless run, or with `--full` everything; exit
 * code 1 on any difference.
 */
export async function verify({ full }: { readonly full?: true }): Promise<void> {
  const config = loadConfig("development");
  await withServiceDatabase(config, async (url) => {
    const database = openDatabase(url, 2, "pacioli-verify", { statement_timeout_ms });
    try {
      const run = await verifyAndRecord(database, {
        is_full: full === true,
        onProgress: (done) => process.stderr.write(`${done}\n`),
      });
      const faults = run.checks.flatMap((check) => check.faults);
      const verdict =
        faults.length === 0 ? "The books are correct." : `The books are wrong: ${faults.length} faults.`;
      process.stdout.write(`${[...describeChecks(run.checks), describeScope(run), verdict].join("\n")}\n`);
      if (faults.length > 0) process.exitCode = 1;
    } finally {
      await database.close();
    }
  });
}
