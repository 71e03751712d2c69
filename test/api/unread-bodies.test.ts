import { afterAll, beforeAll, expect, test } from "vitest";
import { newApiKey } from "../../src/http/api-key-form.ts";
import { exchangeRaw, type RawAnswer } from "../support/raw-http.ts";
import { startTestStack, type TestStack } from "../support/stack.ts";

let stack: TestStack;
let reader: string;
beforeAll(async () => {
  stack = await startTestStack({ environment: { RATE_LIMIT_PER_SECOND: "400" } });
  reader = (await stack.db.createKey("reader", ["read"])).token;
});
afterAll(() => stack.stopAll());

/**
 * A request that announces a megabyte and sends none of it: who waits for the body gives no answer in time.
 */
function announce(path: string, headers: Record<string, string> = {}): Promise<RawAnswer> {
  const lines = Object.entries({
    host: "x",
    "content-type": "application/json",
    "content-length": "1000000",
    ...headers,
  });
  const text = `POST ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;
  return exchangeRaw(stack.service_url, text, { wait_ms: 3_000 });
}

test.for([
  ["a path that does not exist", "/nothing", {}, 404, "not_found"],
  [
    "a path below the API that does not exist, with a key",
    "/api/v1/nothing",
    { authorization: "Bearer sk_dev" },
    404,
    "not_found",
  ],
  ["a method that the path has not", "/livez", {}, 404, "not_found"],
  ["a webhook of a PSP that is not configured", "/api/v1/webhooks/nobody", {}, 404, "not_found"],
  ["no key", "/api/v1/payments", {}, 401, "unauthenticated"],
  ["a text that is no key", "/api/v1/payments", { authorization: "Bearer sk_wrong" }, 401, "unauthenticated"],
  [
    "a key that nobody made",
    "/api/v1/payments",
    { authorization: `Bearer ${newApiKey()}` },
    401,
    "unauthenticated",
  ],
] as const)("%s is refused before a byte of the body is read", async ([, path, headers, status, code]) => {
  const answer = await announce(path, headers);
  expect([answer.status, answer.headers["content-type"]?.split(";")[0]]).toEqual([
    status,
    "application/problem+json",
  ]);
  expect(JSON.parse(answer.body)).toMatchObject({ code });
});

test("a key without the right for a route is refused before a byte of the body is read", async () => {
  expect((await announce("/api/v1/payments", { authorization: `Bearer ${reader}` })).status).toBe(403);
});

test("an unknown path is not repeated in the answer", async () => {
  const answer = await announce(`/${"secret".repeat(300)}`);
  expect(answer.status).toBe(404);
  expect(answer.text).not.toContain("secret");
});

test.for([
  ["a broken percent encoding", "/pay/4242424242424242%zz"],
  ["too long a part", `/pay/4242424242424242${"x".repeat(3_000)}`],
] as const)("a path with %s is refused without being repeated", async ([, path]) => {
  const answer = await exchangeRaw(stack.service_url, `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
  expect(answer.status).toBe(400);
  expect(JSON.parse(answer.body)).toMatchObject({ code: "invalid_request", param: "path" });
  expect(answer.text).not.toContain("4242");
});

test("texts that cannot be a key do not reach the database, and keys are asked for once in five seconds", async () => {
  const before = await lookUps();
  const tokens = [
    "sk_wrong",
    "x".repeat(10_000),
    ...Array.from({ length: 8 }, () => newApiKey().replace(/..$/, "--")),
  ];
  for (const token of tokens) {
    expect(
      (await stack.call("GET", "/payments", undefined, { authorization: `Bearer ${token}` })).status,
    ).toBe(401);
  }
  const unknown = newApiKey();
  for (let call = 0; call < 5; call++) {
    expect(
      (await stack.call("GET", "/payments", undefined, { authorization: `Bearer ${unknown}` })).status,
    ).toBe(401);
  }
  expect((await lookUps()) - before).toBeLessThanOrEqual(1);
});

test("a call with a body asks for its key once, although the key is checked before and after the body", async () => {
  const { token } = await stack.db.createKey("writer", ["write"]);
  const before = await lookUps();
  const headers = { authorization: `Bearer ${token}` };
  expect((await stack.call("POST", "/payments", {}, headers)).status).toBe(400);
  expect((await lookUps()) - before).toBe(1);
});

/**
 * How often the table of keys was read, as PostgreSQL counts it. A connection may report what it counted only
 * after ten idle seconds, but always when it ends: so those of the service are ended first.
 */
async function lookUps(): Promise<number> {
  const login = new URL(stack.db.service_url).username;
  const ofService = "datname = current_database() and usename = $1 and state = 'idle'";
  await stack.db.asOwner(`select pg_terminate_backend(pid, 5000) from pg_stat_activity where ${ofService}`, [
    login,
  ]);
  return countedReads();
}

async function countedReads(): Promise<number> {
  const [row] = await stack.db.asOwner(
    "select coalesce(seq_scan, 0) + coalesce(idx_scan, 0) as reads from pg_stat_user_tables where relname = 'api_keys'",
  );
  return Number(row?.["reads"]);
}

test("who guesses keys is stopped before the key's look-up, while the keys in use go on", async () => {
  expect((await stack.call("GET", "/payments")).status).toBe(200);
  const before = await lookUps();
  const guesses = await Promise.all(
    Array.from({ length: 200 }, () =>
      stack.call("GET", "/payments", undefined, { authorization: `Bearer ${newApiKey()}` }),
    ),
  );
  const statuses = guesses.map(({ status }) => status);
  expect(new Set(statuses)).toEqual(new Set([401, 429]));
  // A twentieth of 400 a second, and the burst may lie in two or three seconds.
  expect(statuses.filter((status) => status === 401).length).toBeLessThanOrEqual(60);
  expect(guesses.find(({ status }) => status === 429)?.headers.get("retry-after")).toBe("1");
  expect((await stack.call("GET", "/payments")).status).toBe(200);
  expect((await lookUps()) - before).toBeLessThanOrEqual(63);
});
