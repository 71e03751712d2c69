import { readFile } from "node:fs/promises";
import pg from "pg";
import { GroupCommit } from "./group-commit.ts";
import type { EventRecord, RequestRow, Writes } from "./records.ts";

const SCHEMA_LOCK = 727_001;
const COMMIT =
  "select operation, refusal from simulator.commit_operations($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";

export interface Delivery {
  event: EventRecord;
  endpoint_id: string;
}

/** One request's writes; without a row when nobody can ask for its answer or its events again. */
export interface Operation {
  request: RequestRow | null;
  writes: Writes;
  deliveries: readonly Delivery[];
}

/**
 * `stale`: the intent or the session changed since it was read. `replay`: the idempotency key was stored
 * before.
 */
export type CommitOutcome = "done" | "replay" | "stale";

interface Refusal {
  operation: number;
  refusal: "replay" | "stale";
}

function rows(
  operations: readonly Operation[],
  pick: (operation: Operation) => readonly object[],
): string | null {
  const list: (object & { operation: number })[] = [];
  for (const [operation, item] of operations.entries()) {
    for (const row of pick(item)) list.push({ ...row, operation });
  }
  return list.length === 0 ? null : JSON.stringify(list);
}

function some<Value, Row>(value: Value | null | undefined, row: (value: Value) => Row): readonly Row[] {
  return value === undefined || value === null ? [] : [row(value)];
}

function commitParameters(operations: readonly Operation[]): (string | null)[] {
  return [
    rows(operations, (o) => some(o.request, (request) => request)),
    rows(operations, (o) =>
      some(o.writes.intent, (record) => ({
        id: record.id,
        version: record.version,
        metadata: record.metadata,
        record,
      })),
    ),
    rows(operations, (o) => some(o.writes.charge, (record) => ({ id: record.id, record }))),
    rows(operations, (o) => some(o.writes.effect, (effect) => effect)),
    rows(operations, (o) =>
      o.deliveries.map(({ event, endpoint_id }) => ({ event_id: event.id, endpoint_id })),
    ),
    rows(operations, (o) => some(o.writes.once_fault, (key) => ({ key }))),
    rows(operations, (o) => some(o.writes.payment_method, (record) => ({ id: record.id, record }))),
    rows(operations, (o) => some(o.writes.endpoint, (record) => ({ id: record.id, record }))),
    rows(operations, (o) =>
      some(o.writes.session, (record) => ({ id: record.id, version: record.version, record })),
    ),
    rows(operations, (o) => some(o.writes.rolled_forward, (rolled) => rolled)),
    rows(operations, (o) => some(o.writes.rolled_forward_done, (id) => ({ id }))),
  ];
}

/** The database: two pools (commits wait for the disk, webhook bookkeeping need not) and the group commit. */
export class Store {
  readonly reads: pg.Pool;
  readonly #commits: pg.Pool;
  /** For bookkeeping whose loss only repeats a webhook: its commits do not wait for the disk. */
  readonly relaxed: pg.Pool;
  readonly #group: GroupCommit<Operation, CommitOutcome>;

  constructor(url: string) {
    const pool = (max: number, options?: string): pg.Pool => {
      const made = new pg.Pool({
        connectionString: url,
        max,
        application_name: "simulator",
        ...(options === undefined ? {} : { options }),
      });
      // A broken idle connection is replaced at the next use; the error itself says nothing new.
      made.on("error", () => undefined);
      return made;
    };
    this.reads = pool(4);
    this.#commits = pool(2);
    this.relaxed = pool(2, "-c synchronous_commit=off");
    this.#group = new GroupCommit((operations) => this.#flush(operations), { max_batch: 256, lanes: 2 });
  }

  /** Writes one request's effects; resolves once they are durable. */
  commit(operation: Operation): Promise<CommitOutcome> {
    return this.#group.submit(operation);
  }

  /** Waits for what is being written, then closes the connections. */
  async close(): Promise<void> {
    await this.#group.idle();
    await Promise.all([this.reads.end(), this.#commits.end(), this.relaxed.end()]);
  }

  async #flush(operations: readonly Operation[]): Promise<readonly CommitOutcome[]> {
    const outcomes = operations.map((): CommitOutcome => "done");
    const { rows: refusals } = await this.#commits.query<Refusal>({
      name: "commit_operations",
      text: COMMIT,
      values: commitParameters(operations),
    });
    for (const { operation, refusal } of refusals) outcomes[operation] = refusal;
    return outcomes;
  }
}

async function createDatabase(url: string): Promise<void> {
  const target = new URL(url);
  const name = decodeURIComponent(target.pathname.slice(1));
  target.pathname = "/postgres";
  const client = new pg.Client({ connectionString: target.href });
  await client.connect();
  try {
    await client.query(`create database ${pg.escapeIdentifier(name)}`);
  } catch (error) {
    // 42P04 and 23505: another process created it at the same moment.
    if (!(error instanceof pg.DatabaseError) || (error.code !== "42P04" && error.code !== "23505"))
      throw error;
  } finally {
    await client.end();
  }
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  try {
    await client.connect();
    return client;
  } catch (error) {
    // 3D000: the database does not exist yet.
    if (!(error instanceof pg.DatabaseError) || error.code !== "3D000") throw error;
  }
  await createDatabase(url);
  const second = new pg.Client({ connectionString: url });
  await second.connect();
  return second;
}

/** Creates the database and the schema where they are missing (safe when several processes start at once). */
export async function openStore(url: string): Promise<Store> {
  const schema = await readFile(new URL("schema.sql", import.meta.url), "utf8");
  const client = await connect(url);
  try {
    await client.query("begin");
    await client.query("select pg_advisory_xact_lock($1)", [SCHEMA_LOCK]);
    await client.query(schema);
    await client.query("commit");
  } finally {
    await client.end();
  }
  return new Store(url);
}
