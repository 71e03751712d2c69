import { setTimeout as sleep } from "node:timers/promises";
import type { Static, TSchema } from "typebox";
import Value from "typebox/value";
import { monotonicMilliseconds } from "../src/clock.ts";
import { Effects, EffectsSummary, OrderDetail } from "./answers.ts";

/** The answer to a POST, its bytes as they came. */
export type Reply = {
  readonly status: number;
  readonly text: string;
  readonly is_replay: boolean;
  readonly milliseconds: number;
};

type ClientOptions = {
  readonly service_url: string;
  readonly simulator_url: string;
  readonly api_key: string;
  /** Cancels everything in progress. */
  readonly signal: AbortSignal;
};

const poll_ms = 20;
const request_ms_max = 10_000;

/** Talks to Pacioli as a platform would, and asks the simulator what it really did. */
export class Client {
  readonly #options: ClientOptions;

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  async get<Schema extends TSchema>(path: string, schema: Schema): Promise<Static<Schema>> {
    const { status, text } = await this.#send("GET", path);
    if (status !== 200) throw new Error(`GET ${path} answered ${status}: ${text}`);
    return read(text, schema);
  }

  post(path: string, body?: unknown): Promise<Reply> {
    return this.#send("POST", path, body);
  }

  /** The order as soon as it is in the state. Errors with the state it has instead after `seconds`. */
  async waitForOrder(paymentOrderId: string, status: string, seconds = 15): Promise<OrderDetail> {
    return this.#poll(seconds, async () => {
      const order = await this.get(`/payments/${paymentOrderId}`, OrderDetail);
      return order.status === status
        ? { found: order }
        : { missing: `${paymentOrderId} is ${order.status}, not ${status}, after ${seconds} s` };
    });
  }

  async waitForCapture(paymentOrderId: string, captured_amount: string, seconds = 10): Promise<void> {
    await this.#poll(seconds, async () => {
      const order = await this.get(`/payments/${paymentOrderId}`, OrderDetail);
      return order.captured_amount === captured_amount
        ? { found: order }
        : { missing: `${order.captured_amount} of ${paymentOrderId} is captured after ${seconds} s` };
    });
  }

  /** How often an order's card was charged, by the simulator's own books. */
  async countCharges(paymentOrderId: string): Promise<number> {
    return (await this.#simulator(`effects?payment_order_id=${paymentOrderId}`, Effects)).count;
  }

  async waitForCharge(paymentOrderId: string, seconds = 10): Promise<void> {
    await this.#poll(seconds, async () => {
      const count = await this.countCharges(paymentOrderId);
      return count > 0
        ? { found: count }
        : { missing: `the simulator has not charged ${paymentOrderId} after ${seconds} s` };
    });
  }

  summarizeCharges(): Promise<Static<typeof EffectsSummary>> {
    return this.#simulator("effects/summary", EffectsSummary);
  }

  /** From now on the simulator loses every webhook, or none. */
  async loseWebhooks(isLosing: boolean): Promise<void> {
    const response = await fetch(`${this.#options.simulator_url}/_simulator/faults`, {
      method: "POST",
      body: JSON.stringify({ webhooks: { drop_rate: isLosing ? 1 : 0 } }),
      signal: this.#limit(),
    });
    if (!response.ok)
      throw new Error(`the simulator refused the faults: ${response.status} ${await response.text()}`);
  }

  async #simulator<Schema extends TSchema>(path: string, schema: Schema): Promise<Static<Schema>> {
    const response = await fetch(`${this.#options.simulator_url}/_simulator/${path}`, {
      signal: this.#limit(),
    });
    return read(await response.text(), schema);
  }

  async #send(method: "GET" | "POST", path: string, body?: unknown): Promise<Reply> {
    const start = monotonicMilliseconds();
    const response = await fetch(`${this.#options.service_url}/api/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.#options.api_key}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      signal: this.#limit(),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const is_replay = response.headers.get("idempotent-replayed") === "true";
    return { status: response.status, text, is_replay, milliseconds: monotonicMilliseconds() - start };
  }

  async #poll<Found>(
    seconds: number,
    look: () => Promise<{ found: Found } | { missing: string }>,
  ): Promise<Found> {
    const deadline = monotonicMilliseconds() + seconds * 1_000;
    for (;;) {
      const seen = await look();
      if ("found" in seen) return seen.found;
      if (monotonicMilliseconds() > deadline) throw new Error(seen.missing);
      await sleep(poll_ms, undefined, { signal: this.#options.signal });
    }
  }

  #limit(): AbortSignal {
    return AbortSignal.any([this.#options.signal, AbortSignal.timeout(request_ms_max)]);
  }
}

/** The text as JSON of this shape. Errors with what came instead. */
export function read<Schema extends TSchema>(text: string, schema: Schema): Static<Schema> {
  const value: unknown = JSON.parse(text);
  if (Value.Check(schema, value)) return value;
  throw new Error(`an answer does not have the shape that the API promises: ${text}`);
}
