import { hash } from "node:crypto";
import { eventsOf } from "./events.ts";
import type { Transport } from "./fault-names.ts";
import { newStem } from "./ids.ts";
import type { Plan } from "./plan.ts";
import { findKey } from "./queries.ts";
import type { EventType, RequestRow } from "./records.ts";
import { renderAnswer } from "./render.ts";
import type { CommitOutcome, Delivery, Store } from "./store.ts";
import { invalidRequest, StripeError } from "./stripe-error.ts";

const MAX_CONFLICTS = 50;

/** An answer ready to be sent. */
export interface Reply {
  status: number;
  body: string;
  headers?: Readonly<Record<string, string>>;
  transport: Transport;
}

export interface KeyedRequest {
  request_id: string;
  idempotency_key: string | null;
  fingerprint: string;
}

/** The same method, path and parameters have the same fingerprint, in whatever order the parameters came. */
export function fingerprintOf(method: string, path: string, canonicalParams: string): string {
  return hash("sha256", `${method} ${path}\n${canonicalParams}`, "base64url");
}

function otherParameters(key: string): StripeError {
  return new StripeError(
    400,
    "idempotency_error",
    `Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a ` +
      `key other than '${key}' if you meant to execute a different request.`,
  );
}

function replay(stored: RequestRow, key: string, request: KeyedRequest): Reply {
  if (stored.fingerprint !== request.fingerprint) throw otherParameters(key);
  return {
    status: stored.status,
    body: JSON.stringify(renderAnswer(stored.record)),
    transport: "normal",
    headers: { "Idempotent-Replayed": "true", "Original-Request": stored.request_id },
  };
}

function inProgress(): StripeError {
  return new StripeError(
    409,
    "idempotency_error",
    "There is currently another in-progress request using this Idempotency Key. Please try again later.",
    { code: "idempotency_key_in_use" },
  );
}

function lockTimeout(): StripeError {
  return new StripeError(
    429,
    "invalid_request_error",
    "This object cannot be accessed right now because another API request is currently accessing it.",
    { code: "lock_timeout" },
  );
}

/** Runs each idempotency key once: within this process by memory, for ever by the database. */
export class Idempotency {
  readonly #store: Store;
  readonly #wanting: (type: EventType) => readonly string[];
  readonly #afterCommit: (deliveries: readonly Delivery[]) => void;
  readonly #running = new Map<string, string>();

  constructor(
    store: Store,
    wanting: (type: EventType) => readonly string[],
    afterCommit: (deliveries: readonly Delivery[]) => void,
  ) {
    this.#store = store;
    this.#wanting = wanting;
    this.#afterCommit = afterCommit;
  }

  /**
   * Executes `makePlan` once for the request's key and stores its answer in the same commit as its effects.
   * What `makePlan` throws is not stored. `lookFirst` is for requests whose plan depends on what is stored.
   */
  async execute(request: KeyedRequest, makePlan: () => Promise<Plan>, lookFirst: boolean): Promise<Reply> {
    const key = request.idempotency_key;
    if (key === null) return this.#run(request, makePlan);
    if (key.length > 255) throw invalidRequest("Idempotency keys can have up to 255 characters.");
    const running = this.#running.get(key);
    if (running !== undefined) throw running === request.fingerprint ? inProgress() : otherParameters(key);
    this.#running.set(key, request.fingerprint);
    try {
      const stored = lookFirst ? await findKey(this.#store.reads, key) : null;
      return stored === null ? await this.#run(request, makePlan) : replay(stored, key, request);
    } finally {
      this.#running.delete(key);
    }
  }

  async #run(request: KeyedRequest, makePlan: () => Promise<Plan>): Promise<Reply> {
    for (let attempt = 0; attempt < MAX_CONFLICTS; attempt += 1) {
      const plan = await makePlan();
      const row = requestRow(request, plan);
      const outcome = await this.#commit(row, plan);
      if (outcome === "done") {
        return {
          status: plan.status,
          body: JSON.stringify(renderAnswer(row.record)),
          transport: plan.transport,
        };
      }
      const stored =
        row.key === null || outcome === "stale" ? null : await findKey(this.#store.reads, row.key);
      if (stored !== null && row.key !== null) return replay(stored, row.key, request);
    }
    throw lockTimeout();
  }

  /**
   * Carries out what no API request asks for: a buyer's act on the hosted page, or the clock's. `decide` is
   * asked again when an object moved on meanwhile; without a plan nothing is written.
   */
  async act<Decided extends { plan: Plan | null }>(decide: () => Promise<Decided>): Promise<Decided> {
    for (let attempt = 0; attempt < MAX_CONFLICTS; attempt += 1) {
      const decided = await decide();
      if (decided.plan === null) return decided;
      const row = requestRow({ request_id: "", idempotency_key: null, fingerprint: "" }, decided.plan);
      if ((await this.#commit(row, decided.plan)) === "done") return decided;
    }
    throw lockTimeout();
  }

  async #commit(row: RequestRow, plan: Plan): Promise<CommitOutcome> {
    const deliveries = this.#deliveries(row);
    const outcome = await this.#store.commit({
      request: isWorthKeeping(row) ? row : null,
      writes: plan.writes,
      deliveries,
    });
    if (outcome === "done" && deliveries.length > 0) this.#afterCommit(deliveries);
    return outcome;
  }

  /** The deliveries the row's events need; notes in the row how many there are. */
  #deliveries(row: RequestRow): Delivery[] {
    const deliveries: Delivery[] = [];
    const endpoints = row.types.map((type) => this.#wanting(type));
    if (endpoints.every((ids) => ids.length === 0)) return deliveries;
    row.record.pending_webhooks = endpoints.map((ids) => ids.length);
    for (const [index, event] of eventsOf(row).entries()) {
      for (const endpoint_id of endpoints[index] ?? []) deliveries.push({ event, endpoint_id });
    }
    return deliveries;
  }
}

function isWorthKeeping(row: RequestRow): boolean {
  return row.key !== null || row.types.length > 0;
}

function requestRow(request: KeyedRequest, plan: Plan): RequestRow {
  const nowMs = Date.now();
  const { intent, charge, session, events } = plan.writes;
  return {
    id: newStem(nowMs),
    key: request.idempotency_key,
    fingerprint: request.fingerprint,
    request_id: request.request_id,
    status: plan.status,
    types: events ?? [],
    record: {
      created: Math.floor(nowMs / 1_000),
      answer: plan.answer,
      ...(intent === undefined ? {} : { intent }),
      ...(charge === undefined ? {} : { charge }),
      ...(session === undefined ? {} : { session }),
    },
  };
}
