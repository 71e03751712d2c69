interface Waiting<Item, Result> {
  item: Item;
  resolve: (result: Result) => void;
  reject: (error: unknown) => void;
}

/**
 * Groups concurrent callers into one flush. Items that arrive while a flush runs form the next one; there is
 * no timer, so a lone caller waits for nobody. When a flush of several items fails, each is tried alone, so
 * that one bad item cannot fail its neighbours.
 */
export class GroupCommit<Item, Result> {
  readonly #flush: (items: readonly Item[]) => Promise<readonly Result[]>;
  readonly #maxBatch: number;
  readonly #lanes: number;
  #waiting: Waiting<Item, Result>[] = [];
  #running = 0;
  #scheduled = false;
  #idleListeners: (() => void)[] = [];

  constructor(
    flush: (items: readonly Item[]) => Promise<readonly Result[]>,
    options: { max_batch: number; lanes: number },
  ) {
    this.#flush = flush;
    this.#maxBatch = options.max_batch;
    this.#lanes = options.lanes;
  }

  /** Hands over one item and waits for its own result. */
  submit(item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      this.#schedule();
    });
  }

  /** Resolves when nothing waits and nothing runs. */
  idle(): Promise<void> {
    if (this.#running === 0 && this.#waiting.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idleListeners.push(resolve));
  }

  #schedule(): void {
    if (this.#scheduled || this.#running >= this.#lanes || this.#waiting.length === 0) return;
    this.#scheduled = true;
    // Requests that arrived in the same turn of the event loop join the same flush.
    setImmediate(() => {
      this.#scheduled = false;
      void this.#run();
    });
  }

  async #run(): Promise<void> {
    const batch = this.#waiting.splice(0, this.#maxBatch);
    if (batch.length === 0) return;
    this.#running += 1;
    this.#schedule();
    await this.#settle(batch);
    this.#running -= 1;
    this.#schedule();
    if (this.#running === 0 && this.#waiting.length === 0) {
      for (const listener of this.#idleListeners.splice(0)) listener();
    }
  }

  async #settle(batch: readonly Waiting<Item, Result>[]): Promise<void> {
    try {
      const results = await this.#flush(batch.map((waiting) => waiting.item));
      for (const [index, waiting] of batch.entries()) {
        const result = results[index];
        if (result === undefined) waiting.reject(new Error("the flush gave no result for this item"));
        else waiting.resolve(result);
      }
    } catch (error) {
      if (batch.length === 1) {
        batch[0]?.reject(error);
        return;
      }
      for (const waiting of batch) await this.#settle([waiting]);
    }
  }
}
