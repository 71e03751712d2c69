import { openDatabase } from "../src/cli/compose.ts";
import { migrateDatabase } from "../src/cli/migrate.ts";
import { verifyAndRecord } from "../src/cli/verify.ts";
import type { Database } from "../src/db/db.ts";
import {
  chart,
  closeWhatIsDue,
  detachPartitions,
  ensureTickAfter,
  openLedger,
  selectBookedBalance,
  selectBookedVersions,
  selectStatement,
  type TransactionDraft,
} from "../src/ledger/ledger.ts";
import { toCurrencyCode } from "../src/money/money.ts";
import { batch_items, postFor } from "./post-for.ts";
import { printJson, printTable, progress } from "./report.ts";
import { freshDatabase, urlOf, type Server } from "./server.ts";
import { drawsOf } from "./transfers.ts";

const drawCapture = drawsOf(chart)["one hot, 10,000 sellers"];

/** Adjustments of accounts outside of the chart: `verify` would miss the orders of captures. */
function draw(): TransactionDraft {
  const capture = drawCapture();
  return {
    ...capture,
    kind: "adjusted",
    subject_type: "adjustment",
    entries: capture.entries.map((entry) => ({ ...entry, account: { ...entry.account, role: "other" } })),
  };
}

const measured_seconds = 8;
const partition_transactions = 2_000_000;
const new_transactions = 100_000;

/**
 * How the ledger is at `entries` entries against how it is empty: postings, a statement, a balance as of a time,
 * verification, and detaching what is old.
 */
export async function benchGrowth(server: Server, entries: number): Promise<void> {
  const name = await freshDatabase(server, "pacioli_bench_growth");
  await migrateDatabase(urlOf(server, name));
  const database = openDatabase(urlOf(server, name), 8, "bench", { statement_timeout_ms: 0 });
  try {
    await usePartitionsOf(database, partition_transactions);
    const figures: { figure: string; value: string | number }[] = [];
    const add = (figure: string, value: string | number): void => {
      figures.push({ figure, value });
      progress(`${figure}: ${value}`);
    };
    await rate(database);
    const empty = await rate(database);
    add("posted/s, empty", Math.round(empty));
    const middle = await fill(database, entries);
    const full = await rate(database);
    add("posted/s, full", Math.round(full));
    add("ratio", (full / empty).toFixed(3));
    add("entries", (await countEntries(database)).toLocaleString("en-US"));
    for (const [what, ms] of Object.entries(await readTimes(database, middle))) add(`${what}, ms`, ms);
    await closeAll(database);
    add("full verify, s", await verifySeconds(database, true));
    const ledger = openLedger(database, batch_items);
    await Promise.all(Array.from({ length: new_transactions }, () => ledger.post(draw())));
    await ledger.close();
    add(`incremental verify after ${new_transactions} transactions, s`, await verifySeconds(database, false));
    const start = performance.now();
    const detached = await detachPartitions(database, middle);
    add("detached partitions", detached.length);
    add("detaching them, ms", Math.round(performance.now() - start));
    add("incremental verify afterwards, s", await verifySeconds(database, false));
    printTable(`The ledger at ${entries.toLocaleString("en-US")} entries`, figures);
    printJson({ benchmark: "growth", figures });
  } finally {
    await database.close();
  }
}

/** Smaller partitions than a real database's, so that some can be detached. */
async function usePartitionsOf(database: Database, transactions: number): Promise<void> {
  for (const { name } of await database.query<{ name: string }>(
    "select relid::regclass::text as name from pg_partition_tree('ledger_entries') where isleaf",
  )) {
    await database.query(`drop table ${name}`);
  }
  await database.query("delete from ledger_entry_partitions");
  for (const _ of [1, 2]) await database.query("select ledger_add_partition($1::bigint)", [transactions]);
}

async function rate(database: Database): Promise<number> {
  const ledger = openLedger(database, batch_items);
  try {
    return await postFor(measured_seconds, ledger, draw);
  } finally {
    await ledger.close();
  }
}

async function countEntries(database: Database): Promise<number> {
  const [row] = await database.query<{ count: bigint }>(
    "select sum(version)::bigint as count from ledger_accounts",
  );
  return Number(row?.count ?? 0n);
}

/** Posts and closes as `work` does, and gives the time at which half of it was written. */
async function fill(database: Database, entries: number): Promise<string> {
  let middle = "";
  for (;;) {
    const count = await countEntries(database);
    if (middle === "" && count >= entries / 2) middle = await timeOf(database);
    if (count >= entries) return middle === "" ? timeOf(database) : middle;
    progress(`${(entries - count).toLocaleString("en-US")} entries to go …`);
    const ledger = openLedger(database, 2_000);
    const missing = Math.ceil((entries - count) / 2);
    await Promise.all(Array.from({ length: Math.min(100_000, missing) }, () => ledger.post(draw())));
    await ledger.close();
    await database.transaction((tx) => tx.query("select take_tick($1)", [true]));
    await closeWhatIsDue(database);
  }
}

async function timeOf(database: Database): Promise<string> {
  const [row] = await database.query<{ now: string }>("select clock_timestamp() as now");
  if (row === undefined) throw new Error("the database did not tell the time");
  return row.now;
}

async function closeAll(database: Database): Promise<void> {
  await ensureTickAfter(database, await timeOf(database));
  for (;;) {
    const [row] = await database.query<{ closing_id: bigint | null }>(
      "select ledger_add_closing() as closing_id",
    );
    if (row === undefined || row.closing_id === null) return;
  }
}

/** The slowest of twenty sellers. */
async function readTimes(database: Database, middle: string): Promise<Record<string, string>> {
  const until = await timeOf(database);
  await ensureTickAfter(database, until);
  let statement_ms = 0;
  let balance_ms = 0;
  for (let seller = 0; seller < 20; seller++) {
    const account = chart.sellerPending(`seller-${seller * 37}`, toCurrencyCode("USD"));
    const start = performance.now();
    await selectBookedBalance(database, account, middle);
    const between = performance.now();
    const booked = await selectBookedVersions(database, account, middle, until);
    if (booked === undefined) throw new Error(`${account.code} is not there`);
    await selectStatement(database, account, booked, 100);
    balance_ms = Math.max(balance_ms, between - start);
    statement_ms = Math.max(statement_ms, performance.now() - between);
  }
  return {
    "balance as of a time": balance_ms.toFixed(1),
    "statement of a seller, 100 lines": statement_ms.toFixed(1),
  };
}

async function verifySeconds(database: Database, is_full: boolean): Promise<string> {
  const { checks, took_ms } = await verifyAndRecord(database, { is_full, onProgress: progress });
  const faults = checks.flatMap((check) => check.faults);
  if (faults.length > 0) throw new Error(`the books have faults: ${JSON.stringify(faults.slice(0, 3))}`);
  return (took_ms / 1_000).toFixed(1);
}
