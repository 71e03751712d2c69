import { openDatabase } from "../src/cli/compose.ts";
import { migrateDatabase } from "../src/cli/migrate.ts";
import type { Database } from "../src/db/db.ts";
import { chart, openLedger, postAll, verifyLedger } from "../src/ledger/ledger.ts";
import { measureFloor } from "./floor.ts";
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
    progress("floor: a bare insert of the same rows …");
    const floor = await measureFloor(server, draws["one hot account"], measured_seconds);
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
    const hot = first[0]?.grouped ?? Number.NaN;
    printTable("Floor: a bare insert of the same rows into the same tables and indexes", [
      { figure: "inserted/s", value: Math.round(floor) },
      { figure: "posted/s, one hot account, empty", value: hot },
      { figure: "ratio", value: hot / floor },
    ]);
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
      floor_per_second: Math.round(floor),
      ratio_to_floor: hot / floor,
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
    // Earlier commits have no partitions.
    `select sum(pg_total_relation_size(relid))::float8 / max(n.count) as total,
            sum(pg_relation_size(relid))::float8 / max(n.count) as tables
       from (select count(*) from ledger_transactions) n,
            (select 'ledger_transactions'::regclass as relid
             union all select relid from pg_partition_tree('ledger_entries')
             union all select oid from pg_class where oid = 'ledger_entries'::regclass and relkind = 'r') t`,
  );
  return row ?? { total: Number.NaN, tables: Number.NaN };
}
