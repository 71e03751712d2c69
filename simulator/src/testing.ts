import { spawn, type ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import pg from "pg";
import Stripe from "stripe";
import { afterAll, beforeAll, beforeEach } from "vitest";
import { startSimulator, type Simulator } from "./server.ts";
import type { SimulatorConfig } from "./config.ts";

export const SECRET_KEY = "sk_test_simulator";

/** A database of its own on the server that PACIOLI_TEST_DATABASE_URL names. */
export interface TestDatabase {
  url: string;
  drop(): Promise<void>;
}

async function asAdmin(work: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ connectionString: serverUrl().href });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}

function serverUrl(): URL {
  const url = process.env["PACIOLI_TEST_DATABASE_URL"];
  if (url === undefined)
    throw new Error("set PACIOLI_TEST_DATABASE_URL to a server where databases can be created");
  return new URL(url);
}

export async function createTestDatabase(): Promise<TestDatabase> {
  const name = `simulator_test_${randomUUID().replaceAll("-", "")}`;
  await asAdmin((client) => client.query(`create database ${name}`));
  const url = serverUrl();
  url.pathname = `/${name}`;
  return {
    url: url.href,
    drop: () => asAdmin((client) => client.query(`drop database ${name} with (force)`)),
  };
}

/** The simulator in this process on a free port. */
export function startForTest(
  databaseUrl: string,
  changes: Partial<SimulatorConfig> = {},
): Promise<Simulator> {
  return startSimulator({
    port: 0,
    host: "127.0.0.1",
    database_url: databaseUrl,
    secret_key: SECRET_KEY,
    webhook: null,
    success_rate: 1,
    latency_ms: 0,
    session_seconds_min: 1_800,
    authorization_seconds: 604_800,
    roll_forward_seconds: 180,
    ...changes,
  });
}

/** A simulator in this process on a database of its own, and the SDK that talks to it. */
export interface TestSimulator {
  readonly url: string;
  readonly database_url: string;
  /** Of the process that runs now: a restart makes a new one. */
  readonly stripe: Stripe;
  /**
   * Ends the simulator and starts it again on its database, after a pause, with what changes in its settings.
   */
  restart(changes?: Partial<SimulatorConfig>, pauseMs?: number): Promise<void>;
  /** Ends the simulator and drops its database. */
  close(): Promise<void>;
}

export async function openSimulator(
  settings: Partial<SimulatorConfig> = {},
  timeoutMs?: number,
): Promise<TestSimulator> {
  const database = await createTestDatabase();
  let simulator = await startForTest(database.url, settings);
  let stripe = sdk(simulator.url, timeoutMs);
  return {
    get url() {
      return simulator.url;
    },
    get stripe() {
      return stripe;
    },
    database_url: database.url,
    async restart(changes = {}, pauseMs = 0) {
      await simulator.close();
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
      simulator = await startForTest(database.url, { ...settings, ...changes });
      stripe = sdk(simulator.url, timeoutMs);
    },
    async close() {
      await simulator.close();
      await database.drop();
    },
  };
}

/**
 * The simulator that the tests of one file share: opened before the first, emptied before each, closed after
 * the last. A file calls it once, outside its tests.
 */
export function shareSimulator(
  settings: Partial<SimulatorConfig> = {},
  timeoutMs?: number,
): Omit<TestSimulator, "close"> {
  let opened: TestSimulator | undefined;
  const running = (): TestSimulator => {
    if (opened === undefined) throw new Error("the simulator is there in tests and hooks only");
    return opened;
  };
  beforeAll(async () => {
    opened = await openSimulator(settings, timeoutMs);
  });
  beforeEach(async () => {
    await admin(running().url, "reset", {});
  });
  afterAll(() => opened?.close());
  return {
    get url() {
      return running().url;
    },
    get stripe() {
      return running().stripe;
    },
    get database_url() {
      return running().database_url;
    },
    restart: (changes, pauseMs) => running().restart(changes, pauseMs),
  };
}

/** The simulator as a process of its own, for tests that kill it. */
export async function spawnForTest(
  databaseUrl: string,
  env: Record<string, string> = {},
): Promise<{ url: string; process: ChildProcess }> {
  const { PATH, NODE_COMPILE_CACHE } = process.env;
  const child = spawn(process.execPath, [fileURLToPath(new URL("main.ts", import.meta.url))], {
    env: { PATH, NODE_COMPILE_CACHE, SIMULATOR_DATABASE_URL: databaseUrl, SIMULATOR_PORT: "0", ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = await Promise.race([
    once(createInterface({ input: child.stdout }), "line"),
    once(child, "exit").then(() => Promise.reject(new Error("the simulator ended before it was ready"))),
  ]);
  const ready: unknown = JSON.parse(String(line));
  if (typeof ready === "object" && ready !== null && "url" in ready && typeof ready.url === "string") {
    return { url: ready.url, process: child };
  }
  throw new Error(`unexpected first line: ${String(line)}`);
}

/** The official SDK as an integration would set it up. */
export function sdk(url: string, timeoutMs = 10_000): Stripe {
  const { hostname, port } = new URL(url);
  return new Stripe(SECRET_KEY, {
    host: hostname,
    port: Number(port),
    protocol: "http",
    maxNetworkRetries: 0,
    telemetry: false,
    timeout: timeoutMs,
  });
}

/** Parameters of a card charge that succeeds. */
export function charge(
  changes: Partial<Stripe.PaymentIntentCreateParams> = {},
): Stripe.PaymentIntentCreateParams {
  return {
    amount: 1_999,
    currency: "usd",
    confirm: true,
    payment_method: "pm_card_visa",
    allowed_payment_method_types: ["card"],
    ...changes,
  };
}

/** Parameters of 50.00 that are authorised, to be captured later, in several parts when `several` says so. */
export function authorization(
  changes: Partial<Stripe.PaymentIntentCreateParams> = {},
  several = true,
): Stripe.PaymentIntentCreateParams {
  return charge({
    amount: 5_000,
    capture_method: "manual",
    ...(several ? { payment_method_options: { card: { request_multicapture: "if_available" } } } : {}),
    ...changes,
  });
}

/** The charge of an intent that was asked for in full. */
export function chargeOf({ latest_charge }: Stripe.PaymentIntent): Stripe.Charge {
  if (latest_charge !== null && typeof latest_charge === "object") return latest_charge;
  throw new Error("the charge was not expanded");
}

/** A charge by card token, with metadata. */
export function tokenCharge(
  token: string,
  metadata: Record<string, string> = {},
): Stripe.PaymentIntentCreateParams {
  const { payment_method: _, ...rest } = charge({ metadata });
  // The SDK's type of payment_method_data does not list `card`; the API takes it.
  const data = { type: "card" as const, card: { token } };
  return { ...rest, payment_method_data: data };
}

/** Parameters of a Checkout Session for 40.00 in two lines. */
export function session(
  changes: Partial<Stripe.Checkout.SessionCreateParams> = {},
): Stripe.Checkout.SessionCreateParams {
  return {
    mode: "payment",
    success_url: "https://shop.example/done?session={CHECKOUT_SESSION_ID}",
    cancel_url: "https://shop.example/cart",
    line_items: [
      { quantity: 1, price_data: { currency: "usd", unit_amount: 1_500, product_data: { name: "Mug" } } },
      { quantity: 2, price_data: { currency: "usd", unit_amount: 1_250, product_data: { name: "Candle" } } },
    ],
    ...changes,
  };
}

/** Posts the page's card form as a browser does; redirects are not followed. */
export function submitCard(pageUrl: string | null, fields: Record<string, string> = {}): Promise<Response> {
  const filled = {
    number: "4242 4242 4242 4242",
    expiry: "12 / 34",
    cvc: "123",
    name: "Test Buyer",
    ...fields,
  };
  return fetch(pageUrl ?? "", { method: "POST", body: new URLSearchParams(filled), redirect: "manual" });
}

/** The Stripe error a call ends with; fails when it succeeds. */
export async function stripeError(
  call: Promise<unknown>,
): Promise<InstanceType<typeof Stripe.errors.StripeError>> {
  try {
    await call;
  } catch (error) {
    if (error instanceof Stripe.errors.StripeError) return error;
    throw error;
  }
  throw new Error("the call succeeded");
}

/** An admin route's JSON. */
export async function admin(url: string, path: string, body?: unknown): Promise<unknown> {
  const options = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
  const response = await fetch(`${url}/_simulator/${path}`, options);
  return response.json();
}

/** The sums over all real charges. */
export async function summary(url: string): Promise<{ charges: number; duplicates: number }> {
  const body = await admin(url, "effects/summary");
  if (
    typeof body === "object" &&
    body !== null &&
    "charges" in body &&
    typeof body.charges === "number" &&
    "duplicate_orders" in body &&
    Array.isArray(body.duplicate_orders)
  ) {
    return { charges: body.charges, duplicates: body.duplicate_orders.length };
  }
  throw new Error(`unexpected summary ${JSON.stringify(body)}`);
}

/** Waits until the condition holds, asking often; throws after ten seconds. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 10_000;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error("the condition did not come true within 10 s");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
