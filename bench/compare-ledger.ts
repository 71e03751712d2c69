import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type * as Compose from "../src/cli/compose.ts";
import type * as Migrate from "../src/cli/migrate.ts";
import type { Database } from "../src/db/db.ts";
import type * as LedgerRoom from "../src/ledger/ledger.ts";
import { compareFigure, measureByTurns, type Comparison } from "./by-turns.ts";
import { bytesPerTransaction } from "./ledger.ts";
import { batch_items, postFor } from "./post-for.ts";
import { progress } from "./report.ts";
import { freshDatabase, startServer, urlOf, type Server } from "./server.ts";
import { drawsOf, type Draws } from "./transfers.ts";
import type { Side } from "./two-stacks.ts";

const slices = 40;
const slice_seconds = 1;

type LedgerSide = { readonly database: Database; readonly ledger: LedgerRoom.Ledger; readonly draws: Draws };

/** Transfers per second of two commits' ledgers, each on a database of its own, in turn; and their size. */
export async function compareLedgers([before, after]: readonly [Side, Side]): Promise<readonly Comparison[]> {
  const server = await startServer();
  const open: LedgerSide[] = [];
  try {
    const sides = [
      await openSide(server, before, "pacioli_bench_before"),
      await openSide(server, after, "pacioli_bench_after"),
    ] as const;
    open.push(...sides);
    const compared: Comparison[] = [];
    for (const name of Object.keys(sides[0].draws) as (keyof Draws)[]) {
      progress(`${name} …`);
      // The first slice of each warms up.
      const [, ...pairs] = await measureByTurns(sides, slices + 1, ({ ledger, draws }) =>
        postFor(slice_seconds, ledger, draws[name]),
      );
      compared.push(compareFigure(`${name}: transfers_per_second`, pairs, (value) => value));
    }
    const [old, current] = [await bytes(sides[0]), await bytes(sides[1])];
    const size = { name: "bytes_per_transaction", before: old, after: current, ratio: current / old };
    return [...compared, { ...size, standard_error: 0 }];
  } finally {
    for (const { ledger, database } of open) {
      await ledger.close();
      await database.close();
    }
    await server.stop();
  }
}

const bytes = async ({ database }: LedgerSide): Promise<number> =>
  (await bytesPerTransaction(database)).total;

/** Another commit's modules: they are trusted to open a ledger as this one does. */
async function openSide(server: Server, { folder, name }: Side, database_name: string): Promise<LedgerSide> {
  progress(`starting ${name} …`);
  const moduleOf = (path: string): Promise<unknown> => import(pathToFileURL(join(folder, path)).href);
  const { migrateDatabase } = (await moduleOf("src/cli/migrate.ts")) as typeof Migrate;
  const { openDatabase } = (await moduleOf("src/cli/compose.ts")) as typeof Compose;
  const { chart, openLedger } = (await moduleOf("src/ledger/ledger.ts")) as typeof LedgerRoom;
  const url = urlOf(server, await freshDatabase(server, database_name));
  await migrateDatabase(url);
  const database = openDatabase(url, 16, "bench");
  return { database, ledger: openLedger(database, batch_items), draws: drawsOf(chart) };
}
