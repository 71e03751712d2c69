import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { freePort } from "../support/stack.ts";
import { until } from "../api/requests.ts";

let db: TestDatabase;
/** Trusts this machine as its proxy; its log is kept. */
let child: ChildProcess;
let url: string;
const lines: string[] = [];

beforeAll(async () => {
  db = await createTestDatabase();
  const [port, operations_port] = [await freePort(), await freePort()];
  child = spawn(process.execPath, ["src/main.ts", "run"], {
    stdio: ["ignore", "ignore", "pipe"],
    env: {
      ...process.env,
      DATABASE_URL: db.service_url,
      PORT: String(port),
      OPERATIONS_PORT: String(operations_port),
      LOG_LEVEL: "warn",
      RATE_LIMIT_PER_SECOND: "5",
      TRUST_PROXY: "127.0.0.1",
      ALLOWED_HOSTS: "127.0.0.1",
    },
  });
  if (child.stderr === null) throw new Error("the service has no log");
  createInterface({ input: child.stderr }).on("line", (line) => lines.push(line));
  url = `http://127.0.0.1:${port}`;
  const isUp = (): Promise<boolean> =>
    fetch(`${url}/livez`).then(
      (reply) => reply.ok,
      () => false,
    );
  await until("the service is ready", isUp, 50);
});
afterAll(async () => {
  child.kill("SIGTERM");
  await once(child, "exit");
  await db.drop();
});
async function send(path: string, headers: Record<string, string>, method = "GET"): Promise<number> {
  const reply = await fetch(`${url}${path}`, { method, headers });
  await reply.text();
  return reply.status;
}

/** How many of these calls, which may lie in two windows of a second, were answered with 429. */
async function limited(calls: number, call: (index: number) => Promise<number>): Promise<number> {
  // Nothing is counted yet in the windows that begin now.
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  const statuses = await Promise.all(Array.from({ length: calls }, (_, index) => call(index)));
  return statuses.filter((status) => status === 429).length;
}

/** The address that the log gives for a refusal with this X-Forwarded-For. */
async function loggedAddress(forwarded: string): Promise<unknown> {
  const reply = await fetch(`${url}/api/v1/payments`, { headers: { "x-forwarded-for": forwarded } });
  const id = reply.headers.get("request-id") ?? "none";
  const find = (): string | undefined => lines.find((line) => line.includes(id));
  await until("the refusal is logged", () => Promise.resolve(find() !== undefined));
  return (JSON.parse(find() ?? "{}") as Record<string, unknown>)["address"];
}

describe("clients are told apart by their addresses, whatever a proxy writes around them", () => {
  test.for<[string, (index: number) => string]>([
    ["with its port", (index) => `203.0.113.5:${1_000 + index}`],
    ["of IPv6 with its port", (index) => `[2001:db8::1]:${1_000 + index}`],
    ["in two spellings", (index) => (index % 2 === 0 ? "::ffff:203.0.113.5" : "::ffff:cb00:7105")],
    ["that is none", (index) => `junk-${index}`],
  ])("an address %s is one client for the limit of failures", async ([, forwarded]) => {
    const refused = await limited(60, (index) =>
      send("/api/v1/payments", { "x-forwarded-for": forwarded(index) }),
    );
    expect(refused).toBeGreaterThanOrEqual(50);
  });

  test("the status page is limited for them in the same way", async () => {
    const refused = await limited(60, (index) =>
      send("/pay/some-checkout?token=1", { "x-forwarded-for": `203.0.113.6:${index}` }),
    );
    expect(refused).toBeGreaterThanOrEqual(50);
  });
});

describe("the log names addresses only", () => {
  test.for([
    ["203.0.113.5:4242", "203.0.113.5"],
    ["[2001:db8::1]:4242", "2001:db8::1"],
    ["[2001:DB8::1]", "2001:db8::1"],
    ["fe80::1%4242424242424242", "fe80::1"],
    ["4242424242424242", "127.0.0.1"],
    ["4242 4242 4242 4242", "127.0.0.1"],
    ["unknown", "127.0.0.1"],
  ] as const)("X-Forwarded-For: %s is logged as %s", async ([forwarded, address]) => {
    expect(await loggedAddress(forwarded)).toBe(address);
    expect(lines.join("")).not.toMatch(/4242 ?4242 ?4242/);
  });
});
