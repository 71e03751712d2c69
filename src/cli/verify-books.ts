import { monotonicMilliseconds } from "../clock.ts";
import type { Database } from "../db/db.ts";
import {
  closeWhatIsDue,
  lastClosingOf,
  selectDebits,
  selectTail,
  verifyLedger,
  verifyLedgerIn,
  verifyScope,
  type Check,
} from "../ledger/ledger.ts";
import { verifyPayments, verifyPaymentsIn } from "../payments/payments.ts";
import {
  insertVerifyRun,
  readOneSnapshot,
  selectVerifiedClosing,
  type NewVerifyRun,
} from "./verify-queries.ts";

/**
 * Runs all checks of the whole books in one snapshot of the database: for small books, and keeps no
 * record.
 */
export function verifyBooks(database: Database): Promise<readonly Check[]> {
  return database.transaction(async (tx) => {
    await readOneSnapshot(tx);
    return [...(await verifyLedger(tx)), ...(await verifyPayments(tx))];
  });
}

const resumed_statement = "the closing that the last run verified is unchanged";

/**
 * Verifies the books and keeps the result: all of them, or what came after the closing up to which the last
 * faultless run verified them (the first time that is everything too). No snapshot stays open for longer
 * than a slice of half a million transactions takes, or 20,000 orders.
 */
export async function verifyAndRecord(
  database: Database,
  { is_full, onProgress }: { readonly is_full: boolean; readonly onProgress?: (done: string) => void },
): Promise<NewVerifyRun> {
  const start = monotonicMilliseconds();
  await closeWhatIsDue(database);
  const verified = await selectVerifiedClosing(database);
  const isWhole = is_full || verified.is_changed;
  const from_closing_id = isWhole ? 0n : verified.closing_id;
  const scope = {
    ...(await verifyScope(database, from_closing_id)),
    ...(onProgress === undefined ? {} : { onProgress }),
  };
  const resumed: Check = {
    statement: resumed_statement,
    checked_count: verified.closing_id === 0n ? 0n : 1n,
    faults: verified.is_changed
      ? [{ subject: `closing ${verified.closing_id}`, problem: "has another digest than the run noted" }]
      : [],
  };
  const checks = [
    resumed,
    ...(await verifyLedgerIn(database, scope)),
    ...(await verifyPaymentsIn(database, scope)),
  ];
  const to_closing_id = lastClosingOf(scope);
  const run: NewVerifyRun = {
    mode: from_closing_id === 0n ? "full" : "incremental",
    from_closing_id,
    to_closing_id,
    checks,
    debits: await database.snapshot(async (db) => {
      const rows = await selectDebits(db, await selectTail(db, to_closing_id));
      return Object.fromEntries(rows.map(({ currency, debit_minor }) => [currency, debit_minor]));
    }),
    took_ms: monotonicMilliseconds() - start,
  };
  await insertVerifyRun(database, run);
  return run;
}
