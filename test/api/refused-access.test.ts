import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { freePort } from "../support/stack.ts";
import { until } from "./requests.ts";

type Line = Readonly<Record<string, unknown>>;
type Service = {
  readonly url: string;
  readonly operations_url: string;
  readonly lines: Line[];
  readonly child: ChildProcess;
};

let db: TestDatabase;
let reader: { key_id: string; token: string };
/** One that trusts this machine as its proxy, and one that trusts nobody. */
let behindProxy: Service;
let alone: Service;

beforeAll(async () => {
  db = await createTestDatabase();
  [behindProxy, alone] = await Promise.all([
    startService({ TRUST_PROXY: "127.0.0.1", ALLOWED_HOSTS: "127.0.0.1" }),
    startService({}),
  ]);
  reader = await db.createKey("reader", ["read"]);
});
afterAll(async () => {
  for (const { child } of [behindProxy, alone]) {
    child.kill("SIGTERM");
    await once(child, "exit");
  }
  await db.drop();
});

/** A process of the service whose log is kept. */
async function startService(environment: Record<string, string>): Promise<Service> {
  const [port, operations_port] = [await freePort(), await freePort()];
  const child = spawn(process.execPath, ["src/main.ts", "run"], {
    stdio: ["ignore", "ignore", "pipe"],
    env: {
      ...process.env,
      DATABASE_URL: db.service_url,
      PORT: String(port),
      OPERATIONS_PORT: String(operations_port),
      LOG_LEVEL: "warn",
      RATE_LIMIT_PER_SECOND: "100",
      ...environment,
    },
  });
  const lines: Line[] = [];
  if (child.stderr === null) throw new Error("the service has no log");
  createInterface({ input: child.stderr }).on("line", (line) => {
    if (line.startsWith("{")) lines.push(JSON.parse(line) as Line);
  });
  const url = `http://127.0.0.1:${port}`;
  await until(
    "the service is ready",
    () =>
      fetch(`${url}/livez`).then(
        (reply) => reply.ok,
        () => false,
      ),
    50,
  );
  return { url, operations_url: `http://127.0.0.1:${operations_port}`, lines, child };
}

type Sent = { readonly status: number; readonly request_id: string };

async function send(
  service: Service,
  path: string,
  headers: Record<string, string>,
  method = "GET",
): Promise<Sent> {
  const reply = await fetch(`${service.url}${path}`, {
    method,
    headers,
    ...(method === "POST" ? { body: "{}" } : {}),
  });
  await reply.text();
  return { status: reply.status, request_id: reply.headers.get("request-id") ?? "none" };
}

async function refusalOf(service: Service, { request_id }: Sent): Promise<Line> {
  const find = (): Line | undefined => service.lines.find((line) => line["request_id"] === request_id);
  await until("the refusal is logged", () => Promise.resolve(find() !== undefined));
  return find() ?? {};
}

async function refusals(service: Service, kind: string): Promise<number> {
  const text = await (await fetch(`${service.operations_url}/metrics`)).text();
  return [
    ...text.matchAll(new RegExp(`^pacioli_access_refused_total\\{kind="${kind}",[^}]*\\} (\\d+)$`, "gm")),
  ].reduce((sum, [, count]) => sum + Number(count), 0);
}

describe("a refused access is logged and counted, without what was sent", () => {
  test.for([
    ["no key", undefined],
    ["a key that is none", "Bearer sk_guessed_secret"],
    ["a password", "Basic YWRtaW46Z3Vlc3NlZA=="],
  ] as const)("%s", async ([, authorization]) => {
    const before = await refusals(alone, "authentication");
    const sent = await send(
      alone,
      "/api/v1/payments/some-order",
      authorization === undefined ? {} : { authorization },
    );
    expect(sent.status).toBe(401);
    const line = await refusalOf(alone, sent);
    expect(line).toMatchObject({
      event: "access_refused",
      kind: "authentication",
      address: "127.0.0.1",
      method: "GET",
      route: "/api/v1/payments/:payment_order_id",
    });
    expect(line).not.toHaveProperty("key_id");
    expect(JSON.stringify(line)).not.toMatch(/guessed|YWRtaW4|some-order/);
    expect(await refusals(alone, "authentication")).toBe(before + 1);
  });

  test("a key without the right, by its id", async () => {
    const sent = await send(
      alone,
      "/api/v1/risk_blocks/remove",
      { authorization: `Bearer ${reader.token}`, "content-type": "application/json" },
      "POST",
    );
    expect(sent.status).toBe(403);
    const line = await refusalOf(alone, sent);
    expect(line).toMatchObject({
      kind: "scope",
      key_id: reader.key_id,
      route: "/api/v1/risk_blocks/remove",
      reason: "This route needs the scope admin, which the API key does not have.",
    });
    expect(JSON.stringify(line)).not.toContain(reader.token);
    expect(await refusals(alone, "scope")).toBe(1);
  });

  test("a webhook with a signature that does not fit", async () => {
    const sent = await send(
      alone,
      "/api/v1/webhooks/stripe",
      { "stripe-signature": "t=1,v1=forged", "content-type": "application/json" },
      "POST",
    );
    expect(sent.status).toBe(403);
    const line = await refusalOf(alone, sent);
    expect(line).toMatchObject({ kind: "signature", route: "/api/v1/webhooks/:psp", method: "POST" });
    expect(JSON.stringify(line)).not.toContain("forged");
    expect(await refusals(alone, "signature")).toBe(1);
  });

  test("many at once do not fill the disk: a bounded number of lines a second, all counted, and the next line says how many are missing", async () => {
    const logged = (): Line[] => alone.lines.filter((line) => line["event"] === "access_refused");
    const before = { lines: logged().length, count: await refusals(alone, "scope") };
    const started = performance.now();
    const sent = await Promise.all(
      Array.from({ length: 90 }, () =>
        send(
          alone,
          "/api/v1/payments",
          { authorization: `Bearer ${reader.token}`, "content-type": "application/json" },
          "POST",
        ),
      ),
    );
    const windows = Math.ceil((performance.now() - started) / 1_000) + 1;
    const refused = sent.filter(({ status }) => status === 403).length;
    expect(refused).toBeGreaterThan(80);
    expect(await refusals(alone, "scope")).toBe(before.count + refused);
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    await refusalOf(alone, await send(alone, "/api/v1/payments", {}));
    const lines = logged().slice(before.lines);
    expect(lines.length).toBeLessThanOrEqual(20 * windows + 1);
    // Where the requests take more than a second, the first line of the next one tells of those left out before.
    const left_out = lines.reduce((sum, line) => sum + Number(line["lines_left_out"] ?? 0), 0);
    expect(left_out).toBeGreaterThan(0);
    expect(lines.length + left_out).toBe(refused + 1);
  });
});

describe("where a request comes from", () => {
  const spoofed = { "x-forwarded-for": "203.0.113.9, 198.51.100.7" };

  test("is the address that the trusted proxy saw, not what its client claimed", async () => {
    const line = await refusalOf(behindProxy, await send(behindProxy, "/api/v1/payments", spoofed));
    expect(line["address"]).toBe("198.51.100.7");
  });

  test("is the connection's own address where no proxy is trusted, whatever X-Forwarded-For says", async () => {
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    const line = await refusalOf(alone, await send(alone, "/api/v1/payments", spoofed));
    expect(line["address"]).toBe("127.0.0.1");
  });

  test("guesses are limited by it: a new X-Forwarded-For for each guess helps only behind a trusted proxy, whose clients are told apart", async () => {
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    const guess = (service: Service): Promise<number[]> =>
      Promise.all(
        Array.from({ length: 40 }, (_, index) =>
          send(service, "/api/v1/payments", {
            authorization: "Bearer sk_guess",
            "x-forwarded-for": `198.51.100.${index}`,
          }).then(({ status }) => status),
        ),
      );
    expect(await guess(alone)).toContain(429);
    expect(new Set(await guess(behindProxy))).toEqual(new Set([401]));
  });

  test("a proxy that passes on X-Forwarded-Host does not open a host name that is not allowed", async () => {
    const { status } = await send(behindProxy, "/livez", { "x-forwarded-host": "evil.example" });
    expect(status).toBe(200);
    const other = await fetch(`${behindProxy.url.replace("127.0.0.1", "localhost")}/livez`, {
      headers: { "x-forwarded-host": "127.0.0.1" },
    });
    expect(other.status).toBe(400);
  });
});
