import type { Database } from "../db/db.ts";
import { WorkLoop } from "../jobs/jobs.ts";
import { selectDebits, selectTail } from "../ledger/ledger.ts";
import type { Logger } from "../log.ts";
import { ledgerVerifiedAge, ledgerVerifiedRatio } from "../metrics.ts";
import { verifyAndRecord } from "./verify-books.ts";
import { selectLastClosing, selectVerified } from "./verify-queries.ts";

const look_ms = 60_000;
const interval_seconds = 60 * 60;

/** Verifies every hour what is new, and tells the metrics how much of the books is verified since when. */
export function createVerifier(database: Database, log: Logger): WorkLoop {
  let isStarted = false;
  return new WorkLoop({
    name: "verifier",
    log,
    idle_poll_ms: look_ms,
    run: async () => {
      // Not while the process starts.
      if (isStarted) await verifyIfDue(database, log);
      isStarted = true;
      return 0;
    },
  });
}

async function verifyIfDue(database: Database, log: Logger): Promise<void> {
  const verified = await selectVerified(database);
  if (verified === undefined || verified.age_seconds > interval_seconds) {
    const { checks } = await verifyAndRecord(database, { is_full: false });
    const faults = checks.filter((check) => check.faults.length > 0);
    if (faults.length > 0)
      log.error({ checks: faults.map((check) => check.statement) }, "the books are wrong");
  }
  await observeVerified(database);
}

async function observeVerified(database: Database): Promise<void> {
  const verified = await selectVerified(database);
  if (verified === undefined) return;
  const rows = await database.snapshot(async (db) =>
    selectDebits(db, await selectTail(db, await selectLastClosing(db))),
  );
  ledgerVerifiedAge.set(verified.age_seconds);
  for (const { currency, debit_minor: all } of rows) {
    // In parts per million, for the sums may be beyond what a double holds.
    const covered = (BigInt(verified.debits[currency] ?? "0") * 1_000_000n) / BigInt(all);
    ledgerVerifiedRatio.set({ currency }, Number(covered) / 1_000_000);
  }
}
