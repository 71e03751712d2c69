import { Type, type Static } from "typebox";
import { startStack, type Stack } from "../../src/cli/stack.ts";
import { chooseFreePort as freePort } from "../../src/db/embedded/free-port.ts";
import { checked } from "./checked.ts";
import { createTestDatabase, serverUrl, type TestDatabase } from "./database.ts";

export { freePort };

const AmountByCurrency = Type.Record(Type.String(), Type.Integer());
const Effects = Type.Object({
  count: Type.Integer(),
  amount_by_currency: AmountByCurrency,
  data: Type.Array(Type.Object({ payment_intent: Type.String(), amount_minor: Type.Integer() })),
});
const EffectsSummary = Type.Object({
  charges: Type.Integer(),
  amount_by_currency: AmountByCurrency,
  duplicate_orders: Type.Array(Type.String()),
});

export type TestStack = Stack & {
  readonly db: TestDatabase;
  /** A call with the development key; gives status, headers and the parsed body. */
  call(
    method: "GET" | "POST",
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Reply>;
  /** What the simulator really did. */
  effects(query: string): Promise<Static<typeof Effects>>;
  effectsSummary(): Promise<Static<typeof EffectsSummary>>;
  /** Sets the simulator's global faults. */
  setFaults(faults: unknown): Promise<void>;
  /** Polls an order until its state is one of these; errors after `seconds`. */
  waitForOrder(
    paymentOrderId: string,
    statuses: readonly string[],
    seconds?: number,
  ): Promise<Record<string, unknown>>;
  /** Ends all of it at once; the database is dropped. */
  stopAll(): Promise<void>;
};

export type Reply = {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly json: Record<string, unknown>;
};

/** Simulator and service as real processes on a database of their own. */
export async function startTestStack(
  options: { environment?: Record<string, string>; has_webhooks?: boolean; server_url?: string } = {},
): Promise<TestStack> {
  const server = options.server_url ?? serverUrl();
  const db = await createTestDatabase(options.server_url);
  const stack = await startStack({
    data_dir: ".pacioli/test",
    database_url: server,
    database: db.name,
    port: await freePort(),
    simulator_port: 0,
    has_webhooks: options.has_webhooks ?? false,
    environment: { LOG_LEVEL: "fatal", RATE_LIMIT_PER_SECOND: "100000", ...options.environment },
    on_progress: () => undefined,
  });
  const simulator = async (path: string, body?: unknown): Promise<unknown> => {
    const response = await fetch(
      `${stack.simulator_url}/_simulator/${path}`,
      body === undefined
        ? {}
        : { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) },
    );
    if (!response.ok) throw new Error(`simulator ${path}: ${response.status} ${await response.text()}`);
    return response.json();
  };
  const call: TestStack["call"] = async (method, path, body, headers = {}) => {
    const response = await fetch(`${stack.service_url}/api/v1${path}`, {
      method,
      headers: {
        authorization: "Bearer sk_dev",
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, json: parseObject(text) };
  };
  return {
    ...stack,
    db,
    call,
    effects: async (query) => checked(await simulator(`effects?${query}`), Effects),
    effectsSummary: async () => checked(await simulator("effects/summary"), EffectsSummary),
    setFaults: async (faults) => {
      await simulator("faults", faults);
    },
    async waitForOrder(paymentOrderId, statuses, seconds = 20) {
      const deadline = performance.now() + seconds * 1_000;
      for (;;) {
        const { json } = await call("GET", `/payments/${paymentOrderId}`);
        if (statuses.includes(String(json["status"]))) return json;
        if (performance.now() > deadline)
          throw new Error(`${paymentOrderId} is ${String(json["status"])}, not ${statuses.join(" or ")}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    async stopAll() {
      // Killed: a stop would wait for the answers that a test let the simulator hold back.
      await stack.service.kill();
      await stack.simulator.kill();
      await stack.stop();
      await db.drop();
    },
  };
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}

let checkoutCount = 0;

/** A valid checkout body; change what the test is about. */
export function checkoutBody(
  changes: Record<string, unknown> = {},
  orders: readonly Record<string, unknown>[] = [{}],
): Record<string, unknown> {
  checkoutCount += 1;
  const given = changes["checkout_id"];
  const checkout_id = typeof given === "string" ? given : `checkout-${process.pid}-${checkoutCount}`;
  return {
    checkout_id,
    buyer_info: { user_id: "buyer_alice", email: "alice@example.com" },
    credit_card_info: { token: "tok_visa_4242", last4: "4242" },
    payment_orders: orders.map((order, index) => ({
      payment_order_id: `${checkout_id}-order-${index + 1}`,
      seller_account: "seller_bob",
      amount: "29.99",
      currency: "USD",
      ...order,
    })),
    ...changes,
  };
}
