const BATCH = 100;
const RETRY_MS = 1_000;
/** Also the longest time until a clock that was set forward is noticed. */
const SLEEP_MAX_MS = 60_000;

/** Something that ends by itself at a time. */
export interface Expiring {
  /** Those that end first, in order; `expires_at` in Unix seconds. */
  next(limit: number): Promise<readonly { id: string; expires_at: number }[]>;
  /** Ends one, unless it has ended meanwhile. */
  end(id: string): Promise<void>;
}

/** Ends what has its time, also what had it while no simulator ran. */
export class ExpiryClock {
  readonly #expiring: Expiring;
  #timer: NodeJS.Timeout | undefined;
  #wakesAt = Number.POSITIVE_INFINITY;
  #round: Promise<void> | undefined;
  #closed = false;

  constructor(expiring: Expiring) {
    this.#expiring = expiring;
  }

  /** Takes up what an earlier process left. */
  start(): void {
    this.#wakeIn(0);
  }

  /** Resolves when everything that is due has ended. */
  async catchUp(): Promise<void> {
    await this.#endDue();
  }

  /** Something that is stored may end at this Unix time in seconds. */
  notice(expiresAt: number): void {
    this.#wakeIn(expiresAt * 1_000 - Date.now());
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#round;
  }

  #wakeIn(milliseconds: number): void {
    const wait = Math.min(Math.max(milliseconds, 0), SLEEP_MAX_MS);
    if (this.#closed || Date.now() + wait >= this.#wakesAt) return;
    clearTimeout(this.#timer);
    this.#wakesAt = Date.now() + wait;
    this.#timer = setTimeout(() => {
      this.#wakesAt = Number.POSITIVE_INFINITY;
      this.#round = (this.#round ?? Promise.resolve()).then(() => this.#endDue());
    }, wait);
  }

  async #endDue(): Promise<void> {
    try {
      const next = await this.#expiring.next(BATCH);
      const due = next.filter(({ expires_at }) => expires_at * 1_000 <= Date.now());
      for (const { id } of due) {
        if (this.#closed) return;
        await this.#expiring.end(id);
      }
      const later = next[due.length];
      if (later !== undefined) this.notice(later.expires_at);
      else if (due.length > 0) this.#wakeIn(0);
    } catch {
      // The database is away.
      this.#wakeIn(RETRY_MS);
    }
  }
}
