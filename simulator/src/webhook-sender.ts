import http from "node:http";
import https from "node:https";
import type { Faults } from "./faults.ts";
import { GroupCommit } from "./group-commit.ts";
import type { EndpointRecord } from "./records.ts";
import { renderEvent } from "./render.ts";
import type { Delivery, Store } from "./store.ts";
import type { WebhookEndpoints } from "./webhook-endpoints.ts";
import { dueDeliveries, finishDeliveries, msUntilNextDelivery, postponeDelivery } from "./webhook-queries.ts";
import { postEvent } from "./webhook-post.ts";

const CONCURRENCY = 32;
const MAX_QUEUED = 2_000;
const MAX_BACKOFF_SECONDS = 3_600;
/** At one-hour steps about three days, after which Stripe gives up too. */
const MAX_ATTEMPTS = 84;
const REORDER_SPREAD_MS = 500;
const MIN_POLL_MS = 100;
const MAX_POLL_MS = 60_000;

interface Queued extends Delivery {
  attempts: number;
  /** It has already waited for the delay fault. */
  held?: boolean;
}

function keyOf(delivery: Delivery): string {
  return `${delivery.event.id} ${delivery.endpoint_id}`;
}

/** Seconds before the next attempt: 1, 2, 4, … up to an hour. */
export function backoffSeconds(attempts: number): number {
  return Math.min(2 ** (attempts - 1), MAX_BACKOFF_SECONDS);
}

/**
 * Delivers events to the endpoints: new ones straight from memory, failed and left-over ones from the
 * database when they are due. A delivery stays in the database until the endpoint answered 2xx.
 */
export class WebhookSender {
  readonly #store: Store;
  readonly #endpoints: WebhookEndpoints;
  readonly #faults: Faults;
  readonly #agents = {
    http: new http.Agent({ keepAlive: true, maxSockets: CONCURRENCY }),
    https: new https.Agent({ keepAlive: true, maxSockets: CONCURRENCY }),
  };
  readonly #finished: GroupCommit<Delivery, boolean>;
  readonly #known = new Set<string>();
  #queue: Queued[] = [];
  #sending = 0;
  #timer: NodeJS.Timeout | undefined;
  #polling = false;
  #pollAgain = false;
  readonly #holding = new Set<NodeJS.Timeout>();
  #closed = false;

  constructor(store: Store, endpoints: WebhookEndpoints, faults: Faults) {
    this.#store = store;
    this.#endpoints = endpoints;
    this.#faults = faults;
    this.#finished = new GroupCommit(
      async (deliveries: readonly Delivery[]) => {
        await finishDeliveries(store.relaxed, deliveries);
        return deliveries.map(() => true);
      },
      { max_batch: 500, lanes: 1 },
    );
  }

  /** Takes up what an earlier process left. */
  start(): void {
    this.#wakeIn(0);
  }

  /** Sends new deliveries now; what does not fit into memory is read back from the database. */
  enqueue(deliveries: readonly Delivery[]): void {
    if (this.#closed) return;
    for (const delivery of deliveries) {
      if (this.#queue.length >= MAX_QUEUED) {
        this.#wakeIn(0);
        break;
      }
      this.#add({ ...delivery, attempts: 0 });
    }
    this.#pump();
  }

  /** Forgets what waits (the database was emptied). */
  forget(): void {
    this.#queue = [];
    this.#known.clear();
    this.#releaseHeld();
  }

  /** Stops sending; unfinished deliveries stay in the database. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#queue = [];
    this.#releaseHeld();
    clearTimeout(this.#timer);
    this.#agents.http.destroy();
    this.#agents.https.destroy();
    await this.#finished.idle();
  }

  #releaseHeld(): void {
    for (const timer of this.#holding) clearTimeout(timer);
    this.#holding.clear();
  }

  #add(delivery: Queued): void {
    const key = keyOf(delivery);
    if (this.#known.has(key)) return;
    this.#known.add(key);
    this.#queue.push(delivery);
  }

  #wakeIn(milliseconds: number): void {
    if (this.#closed) return;
    if (this.#polling) {
      this.#pollAgain = true;
      return;
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#poll(), milliseconds);
  }

  async #poll(): Promise<void> {
    this.#polling = true;
    this.#pollAgain = false;
    let wait: number | null = 1_000;
    try {
      for (const due of await dueDeliveries(this.#store.relaxed, MAX_QUEUED)) this.#add(due);
      this.#pump();
      const next = await msUntilNextDelivery(this.#store.relaxed);
      wait = next === null ? null : Math.min(Math.max(next, MIN_POLL_MS), MAX_POLL_MS);
    } catch {
      // The database is away: ask again in a second.
    }
    this.#polling = false;
    if (this.#pollAgain) this.#wakeIn(MIN_POLL_MS);
    else if (wait !== null) this.#wakeIn(wait);
  }

  #pump(): void {
    while (this.#sending < CONCURRENCY && !this.#closed) {
      const delivery = this.#queue.shift();
      if (delivery === undefined) return;
      if (this.#held(delivery)) continue;
      this.#sending += 1;
      void this.#deliver(delivery).finally(() => {
        this.#sending -= 1;
        this.#pump();
      });
    }
  }

  /** Holds a delivery back for as long as the faults ask. */
  #held(delivery: Queued): boolean {
    const { delay_ms, reorder } = this.#faults.current.webhooks;
    const delay = delay_ms + (reorder ? Math.random() * REORDER_SPREAD_MS : 0);
    if (delay === 0 || delivery.held === true) return false;
    const timer = setTimeout(() => {
      this.#holding.delete(timer);
      this.#queue.push({ ...delivery, held: true });
      this.#pump();
    }, delay);
    this.#holding.add(timer);
    return true;
  }

  async #deliver(delivery: Queued): Promise<void> {
    try {
      const { drop_rate, duplicate_rate } = this.#faults.current.webhooks;
      const endpoint = this.#endpoints.get(delivery.endpoint_id);
      if (endpoint === undefined || Math.random() < drop_rate) {
        await this.#finished.submit(delivery);
      } else {
        await this.#send(delivery, endpoint, Math.random() < duplicate_rate ? 2 : 1);
      }
    } catch {
      // The database is away: the row is still there and is read again when due.
      this.#wakeIn(1_000);
    } finally {
      this.#known.delete(keyOf(delivery));
    }
  }

  async #send(delivery: Queued, endpoint: EndpointRecord, times: number): Promise<void> {
    const body = JSON.stringify(renderEvent(delivery.event));
    let arrived = false;
    for (let time = 0; time < times; time += 1) {
      arrived = (await postEvent(this.#agents, endpoint, body)) || arrived;
    }
    if (this.#closed) return;
    const attempts = delivery.attempts + 1;
    if (arrived || attempts >= MAX_ATTEMPTS) {
      await this.#finished.submit(delivery);
      return;
    }
    await postponeDelivery(this.#store.relaxed, delivery, attempts, backoffSeconds(attempts));
    this.#wakeIn(0);
  }
}
