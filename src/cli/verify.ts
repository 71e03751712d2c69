import { loadConfig } from "../config/config.ts";
import type { Database } from "../db/db.ts";
import { verifyLedger, type Check } from "../ledger/ledger.ts";
import { verifyPayments } from "../payments/payments.ts";
import { openDatabase } from "./compose.ts";
import { withServiceDatabase } from "./configured-database.ts";
import { readOneSnapshot } from "./verify-queries.ts";

/**
 * Runs all checks of the books in one snapshot of the database, so that payments in progress do not disturb
 * them.
 */
export function verifyBooks(database: Database): Promise<readonly Check[]> {
  return database.transaction(async (tx) => {
    await readOneSnapshot(tx);
    return [...(await verifyLedger(tx)), ...(await verifyPayments(tx))];
  });
}

/** The checks as lines for a person. */
export function describeChecks(checks: readonly Check[]): string[] {
  return checks.flatMap((check) => [
    `${check.faults.length === 0 ? "✓" : "✗"} ${check.statement} (${check.checked_count} checked)`,
    ...check.faults.map((fault) => `    ${fault.subject}: ${fault.problem}`),
  ]);
}

/** `pacioli verify`: recomputes everything; exit code 1 on any difference. */
export async function verify(): Promise<void> {
  const config = loadConfig("development");
  await withServiceDatabase(config, async (url) => {
    const database = openDatabase(url, 2, "pacioli-verify");
    try {
      const checks = await verifyBooks(database);
      process.stdout.write(`${describeChecks(checks).join("\n")}\n`);
      const faults = checks.flatMap((check) => check.faults);
      process.stdout.write(
        faults.length === 0 ? "The books are correct.\n" : `The books are wrong: ${faults.length} faults.\n`,
      );
      if (faults.length > 0) process.exitCode = 1;
    } finally {
      await database.close();
    }
  });
}
