import { monotonicMilliseconds } from "../clock.ts";
import { AppError } from "../errors.ts";
import { sqlStateOf, type Database, type Queryable } from "./database.ts";

export type ReadLimits = {
  /**
   * Reads at a time: as many as the pool has connections, so that none waits in the pool's own unbounded
   * queue.
   */
  readonly at_once_max: number;
  readonly waiting_max: number;
  /**
   * A read that has waited for longer is refused when its turn comes, because its caller has given up or soon
   * will.
   */
  readonly wait_ms_max: number;
};

/** SQLSTATE query_canceled: the statement_timeout of the pool. */
const query_canceled = "57014";

type Waiting = {
  readonly since_ms: number;
  readonly admit: () => void;
  readonly refuse: (error: AppError) => void;
};

/**
 * The database for GET routes: a pool of its own behind a bounded queue, so that a burst of reads takes no
 * connection from payments, and is refused instead of waiting without end.
 */
export class ReadDatabase implements Queryable {
  readonly #database: Database;
  readonly #limits: ReadLimits;
  readonly #waiting: Waiting[] = [];
  #running = 0;

  constructor(database: Database, limits: ReadLimits) {
    this.#database = database;
    this.#limits = limits;
  }

  /** One statement, which is one snapshot. Errors: `concurrency_limited`, `read_timeout`, `unavailable`. */
  query<Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    return this.#inTurn(() => this.#database.query<Row>(text, values));
  }

  /** Several statements that see the same moment. Errors as above. */
  snapshot<Result>(work: (snapshot: Queryable) => Promise<Result>): Promise<Result> {
    return this.#inTurn(() => this.#database.snapshot(work));
  }

  close(): Promise<void> {
    return this.#database.close();
  }

  async #inTurn<Result>(read: () => Promise<Result>): Promise<Result> {
    await this.#admission();
    try {
      return await read();
    } catch (error) {
      if (sqlStateOf(error) !== query_canceled) throw error;
      throw new AppError(
        "read_timeout",
        "The read took too long and was stopped; narrow its filters, such as created_at[gte].",
        { cause: error },
      );
    } finally {
      this.#running -= 1;
      this.#admitNext();
    }
  }

  #admission(): Promise<void> | undefined {
    if (this.#running < this.#limits.at_once_max) {
      this.#running += 1;
      return undefined;
    }
    if (this.#waiting.length >= this.#limits.waiting_max) throw tooMany();
    return new Promise((resolve, reject) => {
      this.#waiting.push({ since_ms: monotonicMilliseconds(), admit: resolve, refuse: reject });
    });
  }

  #admitNext(): void {
    const oldest_ms = monotonicMilliseconds() - this.#limits.wait_ms_max;
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      if (next.since_ms >= oldest_ms) {
        this.#running += 1;
        return next.admit();
      }
      next.refuse(tooMany());
    }
  }
}

function tooMany(): AppError {
  return new AppError("concurrency_limited", "Too many reads are waiting; send the request again.", {
    retry_after_seconds: 1,
  });
}
