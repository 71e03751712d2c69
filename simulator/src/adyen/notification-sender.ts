import type { Faults } from "../faults.ts";
import type { AdyenStore } from "./adyen-store.ts";
import { signedBody } from "./notifications.ts";
import type { Notification } from "./records.ts";
import type { AdyenSettings } from "./settings.ts";

const ANSWER_TIMEOUT_MS = 10_000;
const MAX_BACKOFF_MS = 3_600_000;
const REORDER_SPREAD_MS = 500;
const HEADERS = {
  "Content-Type": "application/json; charset=utf-8",
  "User-Agent": "Adyen HttpClient 1.0 (simulator)",
};

/**
 * Delivers notifications until they are answered 2xx, after 1, 2, 4 … seconds, up to an hour apart. Each
 * waits in memory for its turn; the database is read at the start only, for what an earlier process left.
 */
export class NotificationSender {
  readonly #store: AdyenStore;
  readonly #faults: Faults;
  readonly #webhook: AdyenSettings["webhook"];
  readonly #waiting = new Set<NodeJS.Timeout>();
  readonly #sending = new Set<Promise<void>>();
  readonly #closing = new AbortController();

  constructor(store: AdyenStore, faults: Faults, webhook: AdyenSettings["webhook"]) {
    this.#store = store;
    this.#faults = faults;
    this.#webhook = webhook;
  }

  async start(): Promise<void> {
    for (const { wait_ms, attempts, ...left } of await this.#store.leftNotifications()) {
      this.#wait(left, attempts, wait_ms);
    }
  }

  /** Sends a new notification, at once or when the faults let it go. */
  send(notification: Notification): void {
    const { delay_ms, reorder } = this.#faults.current.webhooks;
    this.#wait(notification, 0, delay_ms + (reorder ? Math.random() * REORDER_SPREAD_MS : 0));
  }

  /** Forgets what waits (the database was emptied). */
  forget(): void {
    for (const timer of this.#waiting) clearTimeout(timer);
    this.#waiting.clear();
  }

  /** Stops sending; what did not arrive stays in the database. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.forget();
    await Promise.all(this.#sending);
  }

  #wait(notification: Notification, attempts: number, delayMs: number): void {
    if (this.#closing.signal.aborted) return;
    // What need not wait meets the faults that are set now, not those of a moment later.
    if (delayMs <= 0) {
      this.#begin(notification, attempts);
      return;
    }
    const timer = setTimeout(() => {
      this.#waiting.delete(timer);
      this.#begin(notification, attempts);
    }, delayMs);
    this.#waiting.add(timer);
  }

  #begin(notification: Notification, attempts: number): void {
    const sent = this.#deliver(notification, attempts).finally(() => this.#sending.delete(sent));
    this.#sending.add(sent);
  }

  async #deliver(notification: Notification, attempts: number): Promise<void> {
    const { drop_rate, duplicate_rate } = this.#faults.current.webhooks;
    const isLost = this.#webhook === null || Math.random() < drop_rate;
    const isArrived = isLost || (await this.#post(notification, Math.random() < duplicate_rate ? 2 : 1));
    if (this.#closing.signal.aborted) return;
    const delayMs = Math.min(1_000 * 2 ** attempts, MAX_BACKOFF_MS);
    try {
      if (isArrived) await this.#store.finishNotification(notification.id);
      else await this.#store.postponeNotification(notification.id, attempts + 1, delayMs);
    } catch {
      // The database is away: the row is still there, and a later process may send it again.
    }
    if (!isArrived) this.#wait(notification, attempts + 1, delayMs);
  }

  async #post({ item }: Notification, times: number): Promise<boolean> {
    if (this.#webhook === null) return true;
    const { url, hmac_key } = this.#webhook;
    const body = signedBody(item, hmac_key);
    let isArrived = false;
    for (let time = 0; time < times; time += 1) {
      const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(ANSWER_TIMEOUT_MS)]);
      const request = { method: "POST", headers: HEADERS, body, signal, redirect: "manual" } as const;
      const response = await fetch(url, request).catch(() => null);
      await response?.body?.cancel();
      isArrived ||= response !== null && response.ok;
    }
    return isArrived;
  }
}
