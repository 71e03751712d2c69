import { AssertionError } from "node:assert";
import { AsyncLocalStorage } from "node:async_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { AppError, messageOf } from "../errors.ts";
import { connectionOf } from "./connection.ts";
import { isOutdatedPlan, preparedIfCall } from "./prepared-calls.ts";

/** A point in time as RFC 3339 in UTC with microseconds, which a JavaScript Date would cut off. */
export type Timestamp = string;

/** Something that runs SQL. `Row` is a claim about the statement: keep the two together, in `queries.ts`. */
export type Queryable = {
  query<Row extends object>(text: string, values?: readonly unknown[]): Promise<Row[]>;
};
declare const inTransaction: unique symbol;
/** A connection inside a transaction. It refuses every statement that comes after the transaction's end. */
export type Transaction = Queryable & {
  readonly [inTransaction]: true;
  /** A statement in the driver's own form, for a library that writes its own SQL. */
  send(statement: pg.QueryConfig): Promise<pg.QueryResult>;
};

const insideTransaction = new AsyncLocalStorage<boolean>();

/**
 * Whether the calling code runs inside a database transaction; the PSP router refuses to call out when it
 * does.
 */
export function isInsideTransaction(): boolean {
  return insideTransaction.getStore() === true;
}

const { builtins, getTypeParser } = pg.types;

/**
 * int8 as bigint and timestamptz as RFC 3339, on our pools only: pg-boss has its own and expects the
 * defaults.
 */
const types: pg.CustomTypesConfig = {
  getTypeParser(oid, format) {
    if (oid === builtins.INT8) return (text: string) => BigInt(text);
    if (oid === builtins.TIMESTAMPTZ) return readTimestamp;
    // oxlint-disable-next-line typescript/no-unsafe-return -- pg types its own parsers as any
    return getTypeParser(oid, format);
  },
};

/**
 * RFC 3339 with all six digits of the microseconds. PostgreSQL drops trailing zeros: one time in ten came out
 * a digit shorter, so times could not be compared as text.
 */
function readTimestamp(text: string): Timestamp {
  const [, date, time, fraction = ""] = /^(\d+-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d+))?\+00$/.exec(text) ?? [];
  if (date === undefined || time === undefined)
    throw new Error(`RFC 3339 cannot write the database's time ${text}`);
  return `${date}T${time}.${fraction.padEnd(6, "0")}Z`;
}

export type DatabaseOptions = {
  readonly url: string;
  readonly application_name: string;
  readonly connections_max: number;
  /** Left out: 30 s. */
  readonly statement_timeout_ms?: number;
  readonly is_read_only?: boolean;
};

/** Of statements after one that failed. */
const transaction_aborted = "25P02";
/** SQLSTATEs after which the same transaction may simply be run again: deadlock, serialization failure. */
const retryableStates = new Set(["40P01", "40001"]);
/**
 * SQLSTATE classes and codes that mean "not now": connection lost, shutting down, too many connections, lock
 * or statement timeout.
 */
const unavailableStates = /^(08|53|57P|58)/;
const unavailableCodes = new Set(["ECONNREFUSED", "ECONNRESET", "EPIPE", "ETIMEDOUT", "ENOTFOUND"]);

/** Messages of the driver, which has no code for a connection that it lost or did not get. */
const driverMessages = [
  "Connection terminated",
  "timeout exceeded when trying to connect",
  "Client has encountered a connection error",
];

/** The SQLSTATE (or the system's error code) of a thrown database error. */
export function sqlStateOf(thrown: unknown): string | undefined {
  if (typeof thrown !== "object" || thrown === null || !("code" in thrown)) return undefined;
  return typeof thrown.code === "string" ? thrown.code : undefined;
}

/** Whether the error says that the database cannot be reached or has no room now. */
export function isUnavailable(thrown: unknown): boolean {
  const code = sqlStateOf(thrown);
  if (code !== undefined) return unavailableStates.test(code) || unavailableCodes.has(code);
  const message = messageOf(thrown);
  return driverMessages.some((known) => message.includes(known));
}

/** A pool of connections to PostgreSQL. */
export class Database implements Queryable {
  readonly #pool: pg.Pool;

  constructor(options: DatabaseOptions) {
    const readOnly = options.is_read_only === true ? "-c default_transaction_read_only=on " : "";
    const { statement_timeout_ms = 30_000 } = options;
    const pipelined: pg.PoolConfig & { pipeline: true } = {
      ...connectionOf(options.url),
      application_name: options.application_name,
      max: options.connections_max,
      types,
      options:
        `${readOnly}-c TimeZone=UTC -c synchronous_commit=on ` +
        `-c statement_timeout=${statement_timeout_ms} -c idle_in_transaction_session_timeout=30000`,
      connectionTimeoutMillis: 5_000,
      keepAlive: true,
      // Statements that do not wait for each other's rows are sent together. Each round trip waits for
      // a turn of a busy event loop: transactions stood idle for most of their time without this.
      pipeline: true,
    };
    this.#pool = new pg.Pool(pipelined);
    // A connection that breaks while idle is dropped by the pool; the next query opens a new one.
    this.#pool.on("error", () => undefined);
  }

  async query<Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    const result = await this.#pool.query<Row>(text, [...values]).catch(refuseWhenUnavailable);
    return result.rows;
  }

  /**
   * Runs `work` in a transaction (READ COMMITTED) and commits. After a deadlock or serialization failure the
   * whole of it runs again, three times at the most. A connection that failed in between is thrown away, so
   * that no half-open transaction returns to the pool. `work` may send statements in branches: when one
   * fails, the rollback waits for the statements in flight, and what the other branches send later is
   * refused.
   */
  transaction<Result>(work: (tx: Transaction) => Promise<Result>): Promise<Result> {
    return this.#run("begin", work);
  }

  /** Runs statements that all see the same moment, and cannot write. */
  snapshot<Result>(work: (snapshot: Queryable) => Promise<Result>): Promise<Result> {
    return this.#run("begin isolation level repeatable read read only", work);
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }

  async #run<Result>(begin: string, work: (tx: Transaction) => Promise<Result>): Promise<Result> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#runOnce(begin, work);
      } catch (error) {
        // Every connection may have one, and each is thrown away.
        if (isOutdatedPlan(error) && tries <= this.#pool.options.max) continue;
        if (tries >= 3 || !retryableStates.has(sqlStateOf(error) ?? "")) return refuseWhenUnavailable(error);
        // Without a pause the victim would take its first lock again before the transaction that waits for it
        // wakes up: the same deadlock, three times.
        await sleep(tries * 20);
      }
    }
  }

  async #runOnce<Result>(begin: string, work: (tx: Transaction) => Promise<Result>): Promise<Result> {
    const client = await this.#pool.connect();
    // A connection that breaks between two statements emits an event, which would end the process if nobody
    // listened; the next statement fails on it anyway.
    const onBreak = (): void => undefined;
    client.on("error", onBreak);
    let isBroken = true;
    const statements = new Statements(client);
    try {
      // Not awaited: it travels with the first statement (the connection is pipelined).
      writeOncePerTurn(client);
      const begun = client.query(begin);
      const running = insideTransaction.run(true, async () => {
        const result = await work(transactionOn(statements));
        // Counted here: until `begin` is answered, what was sent with it may be answered too.
        return { result, unawaited: statements.countInFlight() };
      });
      const [{ result, unawaited }] = await Promise.all([running, begun]);
      await statements.close();
      if (unawaited > 0)
        throw new AssertionError({
          message: `${unawaited} statements of a transaction were not awaited by its work`,
        });
      const { command } = await client.query("commit");
      // PostgreSQL answers COMMIT with ROLLBACK if a statement of the transaction failed.
      if (command !== "COMMIT")
        throw new AssertionError({
          message: "a transaction was rolled back: its work ignored a failed statement",
        });
      isBroken = false;
      return result;
    } catch (thrown) {
      await statements.close();
      const error = statements.causeOf(thrown);
      isBroken = await client.query("rollback").then(
        () => isOutdatedPlan(error),
        () => true,
      );
      throw error;
    } finally {
      client.off("error", onBreak);
      client.release(isBroken);
    }
  }
}

/**
 * The statements of one transaction. If one branch of its work failed, another one that goes on would send
 * its next statement after the rollback, where it would be committed on its own.
 */
class Statements {
  readonly #client: pg.PoolClient;
  readonly #inFlight = new Set<Promise<unknown>>();
  #firstFailure: unknown;
  #isClosed = false;

  constructor(client: pg.PoolClient) {
    this.#client = client;
  }

  async send<Row extends object>(statement: pg.QueryConfig): Promise<pg.QueryResult<Row>> {
    if (this.#isClosed)
      throw new AssertionError({ message: "the transaction has ended: it takes no more statements" });
    writeOncePerTurn(this.#client);
    const answer = this.#client.query<Row>(preparedIfCall(statement));
    this.#inFlight.add(answer);
    try {
      return await answer;
    } catch (error) {
      this.#firstFailure ??= error;
      throw error;
    } finally {
      this.#inFlight.delete(answer);
    }
  }

  /**
   * Statements that were sent together fail together: of two branches of the work, the one that is not to
   * blame may throw first. Only the failure that came first says whether the transaction may run again.
   */
  causeOf(thrown: unknown): unknown {
    return sqlStateOf(thrown) === transaction_aborted ? (this.#firstFailure ?? thrown) : thrown;
  }

  countInFlight(): number {
    return this.#inFlight.size;
  }

  /** Refuses statements from now on, and waits for those in flight. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.allSettled(this.#inFlight);
  }
}

/**
 * What is sent until the end of this turn of the event loop leaves in one write: each write wakes PostgreSQL.
 */
function writeOncePerTurn(client: pg.PoolClient): void {
  const { stream } = client.connection;
  stream.cork();
  process.nextTick(() => stream.uncork());
}

function transactionOn(statements: Statements): Transaction {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the brand is put on here and nowhere else
  return {
    send: (statement: pg.QueryConfig) => statements.send(statement),
    async query<Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
      const result = await statements.send<Row>({ text, values: [...values] });
      return result.rows;
    },
  } as Transaction;
}

function refuseWhenUnavailable(error: unknown): never {
  if (isUnavailable(error)) {
    throw new AppError("unavailable", "The database cannot be reached now.", {
      retry_after_seconds: 1,
      cause: error,
    });
  }
  throw error;
}
