import { openDatabase } from "../src/cli/compose.ts";
import { migrateDatabase } from "../src/cli/migrate.ts";
import type { Database } from "../src/db/db.ts";
import { chart, openLedger, postAll, verifyLedger, type TransactionDraft } from "../src/ledger/ledger.ts";
import { toCurrencyCode } from "../src/money/money.ts";
import { closedLoop } from "./load.ts";
import { printJson, printTable, progress, type Row } from "./report.ts";
import { freshDatabase, urlOf, type Server } from "./server.ts";

const measured_seconds = 4;
const batch_items = 1_000;
const per_call_connections = 16;
const entries_before_repeat = 1_000_000;
const usd = toCurrencyCode("USD");

type Draw = () => TransactionDraft;

/** Every transfer touches the PSP's clearing account; the other side is one of a hundred busy sellers. */
const oneHotAccount: Draw = () =>
  transfer(chart.pspClearing("stripe", usd), chart.sellerPending(`seller-${random(100)}`, usd));
/** The harder hot case: the other side is one of 10,000 sellers, so each batch moves about 950 accounts. */
const oneHotManySellers: Draw = () =>
  transfer(chart.pspClearing("stripe", usd), chart.sellerPending(`seller-${random(10_000)}`, usd));
/** Both sides are drawn from 10,000 accounts. */
const randomAccounts: Draw = () =>
  transfer(
    chart.pspClearing(`psp-${random(10_000)}`, usd),
    chart.sellerPending(`seller-${random(10_000)}`, usd),
  );

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
  for (const [accounts, draw] of [
    ["one hot account", oneHotAccount],
    ["one hot, 10,000 sellers", oneHotManySellers],
    ["10,000 random", randomAccounts],
  ] as const) {
    progress(`${size}: ${accounts} …`);
    await grouped(database, draw, 0.5);
    const groupedRate = await grouped(database, draw, measured_seconds);
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

/** Three batches of callers, so that one is made up while another is written. */
async function grouped(database: Database, draw: Draw, seconds: number): Promise<number> {
  const ledger = openLedger(database, batch_items);
  let posted = 0;
  const start = performance.now();
  await closedLoop(
    3 * batch_items,
    () => performance.now() - start > seconds * 1_000,
    async () => {
      const { outcome } = await ledger.post(draw());
      if (outcome !== "posted") throw new Error(`a transfer was ${outcome}`);
      posted += 1;
    },
  );
  await ledger.close();
  return posted / ((performance.now() - start) / 1_000);
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
      Array.from({ length: Math.min(50_000, Math.ceil(missing / 2)) }, () => ledger.post(oneHotAccount())),
    );
    await ledger.close();
  }
}

async function bytesPerTransaction(database: Database): Promise<{ total: number; tables: number }> {
  const [row] = await database.query<{ total: number; tables: number }>(
    `select (pg_total_relation_size('ledger_transactions') + pg_total_relation_size('ledger_entries'))::float8 / count(*) as total,
            (pg_relation_size('ledger_transactions') + pg_relation_size('ledger_entries'))::float8 / count(*) as tables
       from ledger_transactions`,
  );
  return row ?? { total: Number.NaN, tables: Number.NaN };
}

let count = 0;
const run = Date.now().toString(36).padStart(10, "0");

/** A source as long as a real one: `order:` + an id of 26 characters + `:captured`. */
function transfer(
  debit: TransactionDraft["entries"][number]["account"],
  credit: TransactionDraft["entries"][number]["account"],
): TransactionDraft {
  count += 1;
  const amount_minor = BigInt(1 + random(100_000));
  return {
    source: `order:${run}${String(count).padStart(16, "0")}:captured`,
    entries: [
      { account: debit, amount_minor },
      { account: credit, amount_minor: -amount_minor },
    ],
  };
}

function random(below: number): number {
  return Math.floor(Math.random() * below);
}
