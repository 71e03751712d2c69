import { openDatabase } from "../src/cli/compose.ts";
import { migrateDatabase } from "../src/cli/migrate.ts";
import type { Database } from "../src/db/db.ts";
import { chart, openLedger, postAll, verifyLedger } from "../src/ledger/ledger.ts";
import { closedLoop } from "./load.ts";
import { printJson, printTable, progress, type Row } from "./report.ts";
import { freshDatabase, urlOf, type Server } from "./server.ts";
import { batch_items, postFor } from "./post-for.ts";
import { drawsOf, type Draw } from "./transfers.ts";

const measured_seconds = 4;
const per_call_connections = 16;
const entries_before_repeat = 1_000_000;
const draws = drawsOf(chart);

/**
 * Transfers per second through the ledger's public door with every rule of the database on, beside one
 * transaction per call with the same function on the same database; then again after a million entries.
 */
export async function benchLedger(server: Server): Promise<void> {
  const name = await freshDatabase(server, "pacioli_bench_ledger");
  await migrateDatabase(urlOf(server, name));
  const database = openDatabase(urlOf(server, name), per_call_connections, "bench");
  try {
    const first = await measureAll(database, "empty");
    await fill(database);
    const again = await measureAll(database, "1 M entries");
    const bytes = await bytesPerTransaction(database);
    const checks = await verifyLedger(database);
    const faults = checks.flatMap((check) => check.faults);
    const rows = [...first, ...again];
    printTable(
      `Ledger: transfers/s through the door (up to ${batch_items} a batch), and one transaction per call (${per_call_connections} connections)`,
      rows.map((row) => ({
        case: `${row.accounts}, ${row.size}`,
        "grouped/s": row.grouped,
        "per call/s": row.per_call,
        ratio: row.ratio,
      })),
    );
    printTable("Size", [
      { figure: "bytes per two-entry transaction, indexes included", value: bytes.total },
      { figure: "of it in tables", value: bytes.tables },
    ]);
    printTable("Books", [
      { figure: "entries checked", value: String(checks[1]?.checked_count ?? 0n) },
      { figure: "faults", value: faults.length },
    ]);
    printJson({
      benchmark: "ledger",
      results: rows,
      bytes_per_transaction: bytes.total,
      faults: faults.length,
    });
    if (faults.length > 0) process.exitCode = 1;
  } finally {
    await database.close();
  }
}

type Result = Row & {
  readonly accounts: string;
  readonly size: string;
  readonly grouped: number;
  readonly per_call: number;
  readonly ratio: number;
};

async function measureAll(database: Database, size: string): Promise<Result[]> {
  const results: Result[] = [];
  for (const [accounts, draw] of Object.entries(draws)) {
    progress(`${size}: ${accounts} …`);
    const ledger = openLedger(database, batch_items);
    await postFor(0.5, ledger, draw);
    const groupedRate = await postFor(measured_seconds, ledger, draw);
    await ledger.close();
    const perCallRate = await perCall(database, draw, measured_seconds / 2);
    results.push({
      accounts,
      size,
      grouped: Math.round(groupedRate),
      per_call: Math.round(perCallRate),
      ratio: groupedRate / perCallRate,
    });
  }
  return results;
}

async function perCall(database: Database, draw: Draw, seconds: number): Promise<number> {
  let posted = 0;
  const start = performance.now();
  await closedLoop(
    per_call_connections,
    () => performance.now() - start > seconds * 1_000,
    async () => {
      await database.transaction((tx) => postAll(tx, [draw()]));
      posted += 1;
    },
  );
  return posted / ((performance.now() - start) / 1_000);
}

async function fill(database: Database): Promise<void> {
  for (;;) {
    const [row] = await database.query<{ count: bigint }>(
      "select sum(version)::bigint as count from ledger_accounts",
    );
    const missing = entries_before_repeat - Number(row?.count ?? 0n);
    if (missing <= 0) return;
    progress(`${missing.toLocaleString("en-US")} entries to go …`);
    const ledger = openLedger(database, 2_000);
    await Promise.all(
      Array.from({ length: Math.min(50_000, Math.ceil(missing / 2)) }, () =>
        ledger.post(draws["one hot account"]()),
      ),
    );
    await ledger.close();
  }
}

export async function bytesPerTransaction(database: Database): Promise<{ total: number; tables: number }> {
  const [row] = await database.query<{ total: number; tables: number }>(
    `select (pg_total_relation_size('ledger_transactions') + pg_total_relation_size('ledger_entries'))::float8 / count(*) as total,
            (pg_relation_size('ledger_transactions') + pg_relation_size('ledger_entries'))::float8 / count(*) as tables
       from ledger_transactions`,
  );
  return row ?? { total: Number.NaN, tables: Number.NaN };
}
