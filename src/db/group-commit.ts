import { AppError } from "../errors.ts";
import { groupCommitItems } from "../metrics.ts";
import { sqlStateOf, type Database, type Transaction } from "./database.ts";

type Waiting<Item, Result> = {
  readonly item: Item;
  readonly resolve: (result: Result) => void;
  readonly reject: (reason: unknown) => void;
};

const unique_violation = "23505";
/** How often an item alone may find that another process has just stored a row of its own. */
const races_lost_max = 5;

export type GroupCommitOptions<Item, Result> = {
  readonly name: string;
  readonly database: Database;
  /**
   * Does the work of all items in one transaction and gives their results in the same order. It must detect
   * work that was done before (by a unique key or by the stored state): after an error, and after a commit
   * whose answer was lost, the items are handed to it again one by one.
   */
  readonly flush: (tx: Transaction, items: readonly Item[]) => Promise<readonly Result[]>;
  readonly batch_items_max?: number;
  readonly waiting_items_max?: number;
  /**
   * How many flushes may run at once; another one starts only for a full batch. With more than one, batches
   * may finish out of order.
   */
  readonly flushes_at_once_max?: number;
};

/**
 * Lets many callers share one database transaction. Items that arrive while a flush is running form
 * the next one; there is no timer, so a lone item is not delayed.
 */
export class GroupCommit<Item, Result> {
  readonly #options: GroupCommitOptions<Item, Result>;
  readonly #batchItemsMax: number;
  readonly #waitingItemsMax: number;
  #waiting: Waiting<Item, Result>[] = [];
  #drainsRunning = 0;
  readonly #draining = new Set<Promise<void>>();
  #isClosed = false;

  constructor(options: GroupCommitOptions<Item, Result>) {
    this.#options = options;
    this.#batchItemsMax = options.batch_items_max ?? 500;
    this.#waitingItemsMax = options.waiting_items_max ?? 20_000;
  }

  /**
   * Resolves with the item's own result once its transaction is committed. Errors: `unavailable`, or what the
   * flush threw for it.
   */
  submit(item: Item): Promise<Result> {
    if (this.#isClosed)
      return Promise.reject(
        new AppError("unavailable", "The service is shutting down.", { retry_after_seconds: 1 }),
      );
    if (this.#waiting.length >= this.#waitingItemsMax) {
      return Promise.reject(
        new AppError("unavailable", "Too much work is waiting.", { retry_after_seconds: 1 }),
      );
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      this.#startDrain();
    });
  }

  /** Refuses new items and resolves when those already handed over are decided. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#draining);
  }

  #startDrain(): void {
    const isFull =
      this.#waiting.length >= this.#batchItemsMax &&
      this.#drainsRunning < (this.#options.flushes_at_once_max ?? 1);
    if (this.#drainsRunning > 0 && !isFull) return;
    this.#drainsRunning += 1;
    const draining = this.#drain().finally(() => this.#draining.delete(draining));
    this.#draining.add(draining);
  }

  async #drain(): Promise<void> {
    // One turn of the event loop, so that requests parsed in the same turn share the first flush too.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, this.#batchItemsMax);
      this.#waiting = this.#waiting.slice(batch.length);
      await this.#settle(batch);
    }
    // In the same turn in which nothing was found waiting, so an item that arrives later starts its own
    // drain.
    this.#drainsRunning -= 1;
  }

  async #settle(batch: readonly Waiting<Item, Result>[], racesLost = 0): Promise<void> {
    try {
      const results = await this.#flush(batch.map((waiting) => waiting.item));
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- each item has one, maybe undefined
      batch.forEach((waiting, index) => waiting.resolve(results[index] as Result));
    } catch (error) {
      const [only, ...others] = batch;
      if (only === undefined) return;
      // Another process inserted the same row first: now it is there to be found. An item with several rows
      // may lose a race for each of them.
      const isRaceLost = sqlStateOf(error) === unique_violation && racesLost < races_lost_max;
      if (others.length === 0 && !isRaceLost) return only.reject(error);
      for (const waiting of batch) await this.#settle([waiting], others.length === 0 ? racesLost + 1 : 0);
    }
  }

  async #flush(items: readonly Item[]): Promise<readonly Result[]> {
    groupCommitItems.observe({ group: this.#options.name }, items.length);
    return this.#options.database.transaction(async (tx) => {
      const results = await this.#options.flush(tx, items);
      if (results.length !== items.length) {
        throw new Error(
          `group commit ${this.#options.name}: ${results.length} results for ${items.length} items`,
        );
      }
      return results;
    });
  }
}
