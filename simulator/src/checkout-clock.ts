import { isExpired } from "./checkout-payment.ts";
import { expiry } from "./checkout-sessions.ts";
import type { Idempotency } from "./idempotency.ts";
import type { Plan } from "./plan.ts";
import { findSession, nextToExpire } from "./queries.ts";
import type { Store } from "./store.ts";

const BATCH = 100;
const RETRY_MS = 1_000;
/** Also the longest time until a clock that was set forward is noticed. */
const SLEEP_MAX_MS = 60_000;

/** Closes open sessions when their time is up, also those whose time came while no simulator ran. */
export class CheckoutClock {
  readonly #store: Store;
  readonly #idempotency: Idempotency;
  #timer: NodeJS.Timeout | undefined;
  #wakesAt = Number.POSITIVE_INFINITY;
  #round: Promise<void> | undefined;
  #closed = false;

  constructor(store: Store, idempotency: Idempotency) {
    this.#store = store;
    this.#idempotency = idempotency;
  }

  /** Takes up what an earlier process left. */
  start(): void {
    this.#wakeIn(0);
  }

  /** A session may expire at this Unix time in seconds. */
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
      this.#round = (this.#round ?? Promise.resolve()).then(() => this.#closeDue());
    }, wait);
  }

  async #closeDue(): Promise<void> {
    try {
      const next = await nextToExpire(this.#store.reads, BATCH);
      const due = next.filter(({ expires_at }) => expires_at * 1_000 <= Date.now());
      for (const { id } of due) {
        if (this.#closed) return;
        await this.#idempotency.act(() => this.#end(id));
      }
      const later = next[due.length];
      if (later !== undefined) this.notice(later.expires_at);
      else if (due.length > 0) this.#wakeIn(0);
    } catch {
      // The database is away.
      this.#wakeIn(RETRY_MS);
    }
  }

  async #end(id: string): Promise<{ plan: Plan | null }> {
    const nowMs = Date.now();
    const session = await findSession(this.#store.reads, id);
    if (session?.status !== "open" || !isExpired(session, nowMs)) return { plan: null };
    const writes = await expiry(this.#store, session, nowMs);
    return { plan: { status: 200, answer: { kind: "body", body: null }, writes, transport: "normal" } };
  }
}
