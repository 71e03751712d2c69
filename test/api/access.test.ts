import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkoutBody, startTestStack, type Reply, type TestStack } from "../support/stack.ts";
import { acceptCheckout, expectProblem, replyOf, rowCounts } from "./requests.ts";

let stack: TestStack;
let keys: { reader: string; writer: string; writeOnly: string };
let routes: readonly Route[];

type Route = { readonly method: string; readonly path: string; readonly isOpen: boolean };
type Security = { components: { securitySchemes: Record<string, { scheme: string }> }; security: unknown };
type OpenApi = { paths: Record<string, Record<string, { security?: readonly unknown[] }>> };

beforeAll(async () => {
  stack = await startTestStack();
  const make = async (name: string, ...scopes: ("read" | "write" | "admin")[]): Promise<string> =>
    (await stack.db.createKey(name, scopes)).token;
  keys = {
    reader: await make("reader", "read"),
    writer: await make("writer", "read", "write"),
    writeOnly: await make("write-only", "write"),
  };
  const { paths } = (await (await fetch(`${stack.service_url}/openapi.json`)).json()) as OpenApi;
  routes = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      method: method.toUpperCase(),
      path: path.replaceAll(/\{\w+\}/g, "some_id"),
      isOpen: operation.security?.length === 0,
    })),
  );
});
afterAll(() => stack.stopAll());

async function send(route: Route, authorization: string | undefined): Promise<Reply> {
  return replyOf(
    await fetch(`${stack.service_url}${route.path}`, {
      method: route.method,
      headers: {
        ...(authorization === undefined ? {} : { authorization }),
        ...(route.method === "GET" ? {} : { "content-type": "application/json" }),
      },
      ...(route.method === "GET" ? {} : { body: "{}" }),
    }),
  );
}

const named = (route: Route): string => `${route.method} ${route.path}`;

describe("every route needs a key and the right for what it does (R232)", () => {
  test("the routes of openapi.json that need no key are exactly those for machines, for signed webhooks and for the buyer with a signed link", () => {
    expect(
      routes
        .filter((route) => route.isOpen)
        .map(named)
        .sort(),
    ).toEqual([
      "GET /livez",
      "GET /pay/some_id/state",
      "POST /api/v1/webhooks/payment-status",
      "POST /api/v1/webhooks/some_id",
    ]);
    expect(routes.filter((route) => !route.isOpen).length).toBeGreaterThanOrEqual(20);
  });

  test.for([
    ["no key", undefined],
    ["an unknown key", "Bearer sk_wrong"],
    ["an empty key", "Bearer "],
    ["another scheme", "Digest sk_dev"],
    ["a key with something behind it", "Bearer sk_dev x"],
    ["the key in upper case", "Bearer SK_DEV"],
    ["SQL", "Bearer '--"],
  ] as const)(
    "%s: 401 on every route, before anything is looked up or written",
    async ([, authorization]) => {
      const before = await rowCounts(stack.db);
      for (const route of routes.filter((one) => !one.isOpen)) {
        const reply = await send(route, authorization);
        expect(reply.status, named(route)).toBe(401);
        expectProblem(reply, 401, "unauthenticated");
      }
      expect(await rowCounts(stack.db)).toEqual(before);
    },
  );

  test("a key that may only read gets 403 from every route that writes, and nothing is written", async () => {
    const before = await rowCounts(stack.db);
    const writing = routes.filter((route) => !route.isOpen && route.method !== "GET");
    expect(writing.length).toBeGreaterThanOrEqual(8);
    for (const route of writing) {
      const reply = await send(route, `Bearer ${keys.reader}`);
      expect(reply.status, named(route)).toBe(403);
      expectProblem(reply, 403, "forbidden");
    }
    expect(await rowCounts(stack.db)).toEqual(before);
  });

  test("a key that may only read gets an answer from every route that reads, except the audit log and the approvals", async () => {
    for (const route of routes.filter((one) => !one.isOpen && one.method === "GET")) {
      const expected = /^\/api\/v1\/(audit_log|approvals)\b/.test(route.path) ? [403] : [200, 400, 404];
      expect(expected, named(route)).toContain((await send(route, `Bearer ${keys.reader}`)).status);
    }
  });

  test("a key that may only write gets 403 from every route that reads", async () => {
    for (const route of routes.filter((one) => !one.isOpen && one.method === "GET")) {
      expect((await send(route, `Bearer ${keys.writeOnly}`)).status, named(route)).toBe(403);
    }
  });

  test("decisions about risk and given-up work, and the audit log, need the admin right", async () => {
    const admin = routes.filter(
      (route) =>
        /audit_log/.test(route.path) ||
        (route.method === "POST" && /review$|redrive$|discard$|risk_blocks/.test(route.path)),
    );
    expect(admin.map((route) => route.path).sort()).toEqual([
      "/api/v1/audit_log",
      "/api/v1/checkouts/some_id/review",
      "/api/v1/dead_letters/some_id/discard",
      "/api/v1/dead_letters/some_id/redrive",
      "/api/v1/risk_blocks",
      "/api/v1/risk_blocks/remove",
    ]);
    for (const route of admin) expectProblem(await send(route, `Bearer ${keys.writer}`), 403, "forbidden");
  });
});

describe("keys", () => {
  test("a writer may take payments, also with the key as the user of HTTP basic, and its id is named in the history", async () => {
    const basic = `Basic ${Buffer.from(`${keys.writer}:`).toString("base64")}`;
    const { order_ids } = await acceptCheckout(stack);
    const sent = await stack.call("POST", "/payments", checkoutBody(), { authorization: basic });
    expect(sent).toMatchObject({ status: 202 });
    const order = await stack.waitForOrder(
      (sent.json["payment_orders"] as { payment_order_id: string }[])[0]?.payment_order_id ?? "",
      ["SUCCESS"],
    );
    const [writer] = await stack.db.asOwner("select key_id from api_keys where name = 'writer'");
    expect(order["transitions"]).toMatchObject([
      { to_status: "NOT_STARTED", actor: `key:${String(writer?.["key_id"])}` },
      {},
      {},
    ]);
    await stack.waitForOrder(order_ids[0], ["SUCCESS"]);
  });

  test("HTTP basic takes a key as the user with an empty password only, and openapi.json says so", async () => {
    const as = (user: string): Promise<Reply> =>
      stack.call("GET", "/payments", undefined, {
        authorization: `Basic ${Buffer.from(user).toString("base64")}`,
      });
    for (const user of [`${keys.reader}:`, keys.reader]) expect((await as(user)).status).toBe(200);
    for (const user of [`${keys.reader}:password`, `:${keys.reader}`, ":", "", `x:${keys.reader}:`]) {
      expectProblem(await as(user), 401, "unauthenticated");
    }
    const { components, security } = (await (
      await fetch(`${stack.service_url}/openapi.json`)
    ).json()) as Security;
    const schemes = Object.entries(components.securitySchemes).map(([name, { scheme }]) => [name, scheme]);
    expect(schemes).toEqual([
      ["apiKey", "bearer"],
      ["apiKeyAsUser", "basic"],
    ]);
    expect(security).toEqual([{ apiKey: [] }, { apiKeyAsUser: [] }]);
  });

  test("a revoked key is out within the five seconds for which it is remembered", async () => {
    const { key_id, token } = await stack.db.createKey("short-lived", ["read"]);
    const authorization = `Bearer ${token}`;
    expect((await stack.call("GET", "/payments", undefined, { authorization })).status).toBe(200);
    await stack.db.revokeKey(key_id);
    await new Promise((resolve) => setTimeout(resolve, 5_100));
    expectProblem(await stack.call("GET", "/payments", undefined, { authorization }), 401, "unauthenticated");
  });

  test("only the hash of a key is stored", async () => {
    const rows = await stack.db.asOwner("select api_keys::text as row from api_keys");
    for (const { row } of rows)
      for (const token of [...Object.values(keys), "sk_dev"]) expect(String(row)).not.toContain(token);
  });
});

describe("the rate limit", () => {
  let limited: TestStack;
  beforeAll(async () => {
    limited = await startTestStack({ environment: { RATE_LIMIT_PER_SECOND: "5" } });
  });
  afterAll(() => limited.stopAll());

  test("past it a key gets 429 with Retry-After and nothing is written; another key and the next second are free", async () => {
    const other = await limited.db.createKey("other", ["read"]);
    const before = await rowCounts(limited.db);
    const replies = await Promise.all(
      Array.from({ length: 20 }, () => limited.call("POST", "/payments", {})),
    );
    const refused = replies.filter((reply) => reply.status === 429);
    // The twenty may fall into two windows of a second.
    expect(refused.length).toBeGreaterThanOrEqual(10);
    for (const reply of refused) {
      expectProblem(reply, 429, "rate_limited");
      expect(Number(reply.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
      expect(reply.headers.get("ratelimit-policy")).toBe('"default";q=5;w=1');
      expect(reply.headers.get("ratelimit")).toMatch(/^"default";r=0;t=\d+$/);
    }
    expect(await rowCounts(limited.db)).toEqual(before);
    expect(
      (await limited.call("GET", "/payments", undefined, { authorization: `Bearer ${other.token}` })).status,
    ).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    expect((await limited.call("GET", "/payments")).status).toBe(200);
  });

  test("calls that a key has no right to make count for it too", async () => {
    const { token } = await limited.db.createKey("reader", ["read"]);
    const replies = await Promise.all(
      Array.from({ length: 60 }, () =>
        limited.call("POST", "/payments", {}, { authorization: `Bearer ${token}` }),
      ),
    );
    const statuses = replies.map(({ status }) => status);
    expect(new Set(statuses)).toEqual(new Set([403, 429]));
    expect(statuses.filter((status) => status === 429).length).toBeGreaterThanOrEqual(50);
  });

  test("guessing keys is limited too", async () => {
    const replies = await Promise.all(
      Array.from({ length: 100 }, (_, guess) =>
        limited.call("GET", "/payments", undefined, { authorization: `Bearer sk_${guess}` }),
      ),
    );
    expect(new Set(replies.map((reply) => reply.status))).toEqual(new Set([401, 429]));
  });
});
