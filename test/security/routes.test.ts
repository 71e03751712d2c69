import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { withApp } from "../../scripts/openapi.ts";
import type { Scope } from "../../src/http/auth.ts";
import { newApiKey } from "../../src/http/api-key-form.ts";
import { acceptCheckout, card, orderIn, replyOf, until } from "../api/requests.ts";
import { exchangeRaw } from "../support/raw-http.ts";
import { startTestStack, type Reply, type TestStack } from "../support/stack.ts";

type Security = readonly Readonly<Record<string, readonly string[]>>[];
type OpenApi = { paths: Record<string, Record<string, { operationId: string; security?: Security }>> };
/** `scope`: what openapi.json says that a key needs; null where no key is asked for. */
type Route = {
  readonly id: string;
  readonly method: string;
  readonly template: string;
  readonly path: string;
  readonly scope: Scope | null;
};

const scopes: readonly Scope[] = ["read", "write", "admin"];
const reviewFrom = "USD:400.00";

let stack: TestStack;
let routes: readonly Route[];
/** A key of each scope alone. */
let keys: Record<Scope, string>;
let revoked: string;
/** What ids in paths stand for: things that the call would change, were it let in. */
let ids: Record<string, string>;

beforeAll(async () => {
  stack = await startTestStack({ environment: { RISK_REVIEW_FROM: reviewFrom, MAX_RETRY_ATTEMPTS: "1" } });
  const made = await Promise.all(scopes.map((scope) => stack.db.createKey(scope, [scope])));
  keys = Object.fromEntries(scopes.map((scope, index) => [scope, made[index]?.token ?? ""])) as Record<
    Scope,
    string
  >;
  const old = await stack.db.createKey("revoked", scopes);
  await stack.db.revokeKey(old.key_id);
  revoked = old.token;
  ids = await makeThings();
  const { paths } = (await (await fetch(`${stack.service_url}/openapi.json`)).json()) as OpenApi;
  routes = Object.entries(paths).flatMap(([template, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      id: operation.operationId,
      method: method.toUpperCase(),
      template,
      scope: scopeOf(operation.security),
      path: template.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(ids[name] ?? "none")),
    })),
  );
});
afterAll(() => stack.stopAll());

/**
 * A checkout that waits for review, a paid order with its entry, and an order that failed and left a dead
 * letter.
 */
async function makeThings(): Promise<Record<string, string>> {
  const held = await acceptCheckout(stack, {}, [{ amount: "500.00" }]);
  const paid = await acceptCheckout(stack);
  const failed = await acceptCheckout(stack, card("tok_chargeDeclinedProcessingError"));
  const {
    attempts: [attempt],
  } = await orderIn(stack, paid.order_ids[0], "SUCCESS");
  await orderIn(stack, failed.order_ids[0], "FAILED");
  await orderIn(stack, held.order_ids[0], "PENDING");
  await until(
    "the failed order left a dead letter",
    async () => (await first("/dead_letters")) !== undefined,
  );
  return {
    payment_order_id: held.order_ids[0],
    checkout_id: held.checkout_id,
    account_id: "seller_bob",
    account: "psp:stripe:clearing",
    attempt_id: attempt?.attempt_id ?? "",
    dead_letter_id: String((await first("/dead_letters"))?.["dead_letter_id"]),
    entry_id: String((await first("/ledger"))?.["entry_id"]),
  };
}

async function first(path: string): Promise<Record<string, unknown> | undefined> {
  return ((await stack.call("GET", path)).json["data"] as Record<string, unknown>[])[0];
}

function scopeOf(security: Security | undefined): Scope | null {
  const stated = [
    ...new Set((security ?? [{ none: [] }]).flatMap((requirement) => Object.values(requirement).map(String))),
  ];
  if (stated.length === 0) return null;
  const found = scopes.find((scope) => stated.length === 1 && scope === stated[0]);
  if (found === undefined)
    throw new Error(`openapi.json states no single scope: ${JSON.stringify(security)}`);
  return found;
}

/** Bodies that would be carried out; the routes without one take none. */
const bodies: Readonly<Record<string, unknown>> = {
  createPayment: {
    checkout_id: "intruder",
    buyer_info: { user_id: "b" },
    credit_card_info: { token: "tok_visa_4242" },
    payment_orders: [
      { payment_order_id: "intruder-1", seller_account: "s", amount: "1.00", currency: "USD" },
    ],
  },
  capturePayment: { capture_id: "c" },
  resolveOperation: { outcome: "failed", note: "n" },
  reviewCheckout: { decision: "approve" },
  discardDeadLetter: { note: "n" },
  resolveAttempt: { outcome: "failed", note: "n" },
  approve: { content_hash: "0".repeat(64) },
  reject: { note: "n" },
  addRiskBlock: { kind: "buyer", value: "b", reason: "r" },
  removeRiskBlock: { kind: "buyer", value: "b" },
};

const named = (route: Route): string => `${route.method} ${route.template}`;
const keyed = (): (Route & { scope: Scope })[] =>
  routes.flatMap((route) => (route.scope === null ? [] : [{ ...route, scope: route.scope }]));
const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });

async function send(
  route: Route,
  headers: Record<string, string>,
  query = "",
  method = route.method,
): Promise<Reply> {
  const hasBody = !["GET", "HEAD", "OPTIONS"].includes(method);
  return replyOf(
    await fetch(`${stack.service_url}${route.path}${query}`, {
      method,
      headers: { ...headers, ...(hasBody ? { "content-type": "application/json" } : {}) },
      ...(hasBody ? { body: JSON.stringify(bodies[route.id] ?? {}) } : {}),
    }),
  );
}

/** Every row of every table of the service: counts would not show an update. */
async function contents(): Promise<string> {
  const tables = await stack.db.asOwner(
    "select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'",
  );
  const hashes = tables.map(
    ({ name }) =>
      `select '${String(name)}' as name, md5(coalesce(string_agg(t::text, ',' order by t::text), '')) as hash from ${String(name)} t`,
  );
  return JSON.stringify(await stack.db.asOwner(`${hashes.join(" union all ")} order by name`));
}

async function refusals(kind: string): Promise<Map<string, number>> {
  const text = await (await fetch(`${stack.operationsUrl()}/metrics`)).text();
  const counted = text.matchAll(/^pacioli_access_refused_total\{kind="(\w+)",route="([^"]*)"\} (\d+)$/gm);
  return new Map(
    [...counted].flatMap(([, counted_kind, route = "", count]) =>
      counted_kind === kind ? [[route, Number(count)]] : [],
    ),
  );
}

test("every route that the server has is in openapi.json, or stands in this list of pages and documents", async () => {
  const documented = new Set(routes.map((route) => `${route.method} ${pathOf(route)}`));
  const served = await withApp((app) => readRoutes(app.printRoutes({ commonPrefix: false })));
  expect(served.length).toBeGreaterThanOrEqual(documented.size);
  expect(served.filter((route) => !documented.has(route))).toEqual([
    "GET /openapi.json",
    "GET /pay/:checkout_id",
  ]);
});

/** Fastify prints its routes as a tree, each line indented by four characters for a step. */
function readRoutes(tree: string): string[] {
  const parents: string[] = [];
  const found = tree.split("\n").flatMap((line) => {
    const [, indent = "", part = "", methods = ""] =
      /^([│├└─\s]*)(\S.*?)(?: \(([A-Z, ]+)\))?$/u.exec(line) ?? [];
    if (part === "") return [];
    const depth = indent.length / 4;
    parents.splice(depth - 1, Number.POSITIVE_INFINITY, part === "(empty root node)" ? "" : part);
    return methods
      .split(", ")
      .filter((method) => method !== "" && method !== "HEAD")
      .map((method) => {
        const path = parents.join("");
        return `${method} ${path.length > 1 ? path.replace(/\/$/, "") : path}`;
      });
  });
  return found.toSorted();
}

describe("a call without a key in force is 401 on every route that asks for one; nothing is changed and each refusal is counted", () => {
  const password = (text: string): Record<string, string> => ({
    authorization: `Basic ${Buffer.from(text).toString("base64")}`,
  });
  test.for<[string, () => Record<string, string>, string?]>([
    ["no key", () => ({})],
    ["a text that is no key", () => bearer("sk_live_1")],
    ["a key of the right form that is unknown", () => bearer(newApiKey())],
    ["a revoked key", () => bearer(revoked)],
    ["a revoked key as the user of HTTP basic", () => password(`${revoked}:`)],
    ["a key as the password of HTTP basic", () => password(`admin:${keys.admin}`)],
    ["a key in the query", () => ({}), `?api_key=${newApiKey()}&access_token=x&authorization=Bearer%20x`],
    [
      "a key in headers of other services",
      () => ({
        "x-api-key": keys.admin,
        "proxy-authorization": `Bearer ${keys.admin}`,
        cookie: `token=${keys.admin}`,
      }),
    ],
    [
      "the claim to come from inside",
      () => ({
        "x-forwarded-for": "127.0.0.1",
        "x-real-ip": "127.0.0.1",
        "x-original-url": "/livez",
        "x-forwarded-user": "admin",
      }),
    ],
  ])("%s", async ([, headers, query]) => {
    const [before, counted] = [await contents(), await refusals("authentication")];
    for (const route of keyed()) {
      const reply = await send(route, headers(), query);
      expect([named(route), reply.status, reply.json["code"]]).toEqual([
        named(route),
        401,
        "unauthenticated",
      ]);
    }
    expect(await contents()).toBe(before);
    const after = await refusals("authentication");
    for (const path of new Set(keyed().map(pathOf))) {
      const calls = keyed().filter((route) => pathOf(route) === path).length;
      expect([path, after.get(path)]).toEqual([path, (counted.get(path) ?? 0) + calls]);
    }
  });
});

const pathOf = ({ template }: Route): string => template.replaceAll(/\{(\w+)\}/g, ":$1");

describe("a key with one right alone", () => {
  test.for(scopes)(
    "%s: gets 403 from every route that states another one, and changes nothing",
    async (scope) => {
      const [before, counted] = [await contents(), await refusals("scope")];
      const others = keyed().filter((route) => route.scope !== scope);
      expect(others.length).toBeGreaterThan(10);
      for (const route of others) {
        const reply = await send(route, bearer(keys[scope]));
        expect([named(route), reply.status, reply.json["code"]]).toEqual([named(route), 403, "forbidden"]);
      }
      expect(await contents()).toBe(before);
      const total = (map: Map<string, number>): number =>
        [...map.values()].reduce((sum, count) => sum + count, 0);
      expect(total(await refusals("scope")) - total(counted)).toBe(others.length);
    },
  );

  test("read: is let in by every route that states it, for HEAD too, and changes nothing by that", async () => {
    const before = await contents();
    for (const route of keyed().filter(({ scope }) => scope === "read")) {
      for (const method of ["GET", "HEAD"]) {
        const { status } = await send(route, bearer(keys.read), "", method);
        expect([200, 400, 404], `${method} ${named(route)} ${status}`).toContain(status);
      }
    }
    expect(await contents()).toBe(before);
  });

  test("HEAD asks for the same right as GET", async () => {
    for (const route of keyed().filter(({ method, scope }) => method === "GET" && scope === "admin")) {
      expect((await send(route, bearer(keys.read), "", "HEAD")).status, named(route)).toBe(403);
    }
  });

  test("a header or query that names another method does not change what is asked for", async () => {
    const before = await contents();
    const override = (method: string): Record<string, string> => ({
      "x-http-method-override": method,
      "x-method-override": method,
      "x-http-method": method,
    });
    for (const route of keyed().filter(({ method }) => method === "POST")) {
      expect((await send(route, { ...bearer(keys.read), ...override("GET") })).status, named(route)).toBe(
        403,
      );
      await send(route, { ...bearer(keys.read), ...override("POST") }, "?_method=POST", "GET");
    }
    expect(await contents()).toBe(before);
  });
});

describe("what a client can do to a request does not open a route", () => {
  const get = (target: string, headers: readonly string[]): string =>
    [`GET ${target} HTTP/1.1`, ...headers, "connection: close", "", ""].join("\r\n");
  const host = (): string => `host: ${new URL(stack.service_url).host}`;

  test.for([
    "/api/v1/audit_log/",
    "/api/v1/audit_log?",
    "/api/v1/audit_log?limit=1&limit=2",
    "/api/v1/%61udit_log",
    "/api/v1/AUDIT_LOG",
    "/API/v1/audit_log",
    "/api/v1//audit_log",
    "//api/v1/audit_log",
    "/api/v1/./audit_log",
    "/api/v1/payments/../audit_log",
    "/api/v1/payments/..%2Faudit_log",
    "/api/v1/payments/%2e%2e/audit_log",
    "/livez/../api/v1/audit_log",
    "/api/v1/webhooks/../audit_log",
    "/api/v1/audit_log;x=1",
    "/api/v1/audit_log%00",
    "/api/v1/audit_log%2F",
    "/api/v1\\audit_log",
    "/pay/x/../../api/v1/audit_log",
    "http://127.0.0.1/api/v1/audit_log",
    "/api/v1/audit_log#x",
    "*",
  ])("the audit log is not told to a key that may only read, nor to nobody: %s", async (target) => {
    for (const credentials of [[], [`authorization: Bearer ${keys.read}`]]) {
      const { status, body } = await exchangeRaw(stack.service_url, get(target, [host(), ...credentials]));
      expect(status).toBeGreaterThanOrEqual(400);
      expect(status).toBeLessThan(500);
      expect(body).not.toContain("audit_log_entry");
    }
  });

  test("two Authorization headers are refused, whichever of them is in force: a proxy may have checked the other one", async () => {
    const good = `authorization: Bearer ${keys.read}`;
    for (const pair of [
      [good, "Authorization: Bearer x"],
      ["authorization: Bearer x", good],
      [good, good.toUpperCase().replace(keys.read.toUpperCase(), keys.read)],
    ]) {
      const { status, body } = await exchangeRaw(
        stack.service_url,
        get("/api/v1/payments", [host(), ...pair]),
      );
      expect([status, body]).toEqual([401, expect.stringContaining("Send one Authorization header.")]);
    }
    expect((await exchangeRaw(stack.service_url, get("/api/v1/payments", [host(), good]))).status).toBe(200);
  });

  test.for([
    "Bearer",
    "Bearer  ",
    "Bearer \t",
    "Basic",
    "Basic !!!",
    "Basic Og==",
    "bearer:",
    "Token x",
    ",",
    "Bearer ,",
    "\u00ff",
  ])("an odd Authorization header is 401: %j", async (authorization) => {
    const { status } = await exchangeRaw(
      stack.service_url,
      get("/api/v1/payments", [host(), `authorization: ${authorization}`]),
    );
    expect(status).toBe(401);
  });

  test("no other web site's scripts are let in: no answer has a CORS header, and a preflight is no method of ours", async () => {
    const origin = {
      origin: "https://evil.example",
      "access-control-request-method": "POST",
      "access-control-request-headers": "authorization",
    };
    for (const route of routes) {
      const preflight = await send(route, origin, "", "OPTIONS");
      expect([named(route), preflight.status]).toEqual([named(route), 404]);
      for (const reply of [preflight, await send(route, { ...origin, ...bearer(keys.read) })]) {
        expect(
          [...reply.headers.keys()].filter((name) => name.startsWith("access-control-")),
          named(route),
        ).toEqual([]);
      }
    }
  });
});

test("a cursor opens the list that gave it and no other one", async () => {
  const all = { authorization: "Bearer sk_dev" };
  for (let block = 0; block < 2; block += 1)
    await stack.call("POST", "/risk_blocks", { kind: "buyer", value: `b${block}`, reason: "r" });
  await acceptCheckout(stack, card("tok_chargeDeclinedProcessingError")).then(({ order_ids }) =>
    orderIn(stack, order_ids[0], "FAILED"),
  );
  await acceptCheckout(stack, {}, [{ amount: "500.00" }]);
  const cursors: { route: Route; cursor: string }[] = [];
  for (const route of keyed().filter(({ method }) => method === "GET")) {
    const query = route.template.includes("{account}") ? "?limit=1&currency=USD" : "?limit=1";
    const { next_cursor } = (await send(route, all, query)).json;
    if (typeof next_cursor === "string") cursors.push({ route, cursor: next_cursor });
  }
  expect(cursors.map(({ route }) => route.template)).toEqual(
    expect.arrayContaining(["/api/v1/payments", "/api/v1/ledger", "/api/v1/audit_log"]),
  );
  for (const { route } of cursors) {
    for (const { route: other, cursor } of cursors) {
      const currency = route.template.includes("{account}") ? "&currency=USD" : "";
      const { status } = await send(route, all, `?cursor=${cursor}${currency}`);
      expect([named(route), `cursor of ${named(other)}`, status]).toEqual([
        named(route),
        `cursor of ${named(other)}`,
        route === other ? 200 : 400,
      ]);
    }
  }
});
