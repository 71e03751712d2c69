import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ErrorCode } from "../../src/errors.ts";
import { exchangeRaw, type RawAnswer } from "../support/raw-http.ts";
import { checkoutBody, startTestStack, type TestStack } from "../support/stack.ts";
import { expectProblem, postBytes, rowCounts } from "./requests.ts";

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack({ environment: { REQUEST_TIMEOUT_SECONDS: "2" } });
});
afterAll(() => stack.stopAll());

/** Expects problem details in full on a connection that ends with them. */
function expectRawProblem(answer: RawAnswer, status: number, code: ErrorCode): void {
  expect(answer, answer.text).toMatchObject({ status });
  expect(answer.headers["content-type"]).toMatch(/^application\/problem\+json/);
  const id = answer.headers["request-id"] ?? "";
  expect(id).toMatch(/^req_\w{26}$/);
  expect(JSON.parse(answer.body)).toMatchObject({
    type: `https://pacioli.dev/errors/${code}`,
    status,
    code,
    instance: `urn:request:${id}`,
    title: expect.any(String) as string,
    errors: [],
  });
}

test("of requests that a connection sends at once without a key, most are refused at once", async () => {
  const one = "GET /api/v1/payments HTTP/1.1\r\nhost: x\r\n\r\n";
  const last = "GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
  const text = await allAnswers(one.repeat(1_000) + last);
  const codes = [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => status);
  expect(codes.length).toBe(1_001);
  const refused = codes.filter((status) => status === "429").length;
  expect(refused).toBeGreaterThan(500);
  expect(text).toContain("This connection has 250 requests in progress; wait for their answers.");
  const many = await allAnswers(one.repeat(50) + last);
  expect(many).not.toContain("This connection has");
});

/** Everything that comes on a connection until the service ends it. */
function allAnswers(bytes: string): Promise<string> {
  const { hostname, port } = new URL(stack.service_url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write(bytes));
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk.toString("utf8");
    });
    socket.on("end", () => resolve(text));
    socket.on("error", reject);
  });
}

const head = "host: x\r\nauthorization: Bearer sk_dev\r\ncontent-type: application/json\r\n";
const post = `POST /api/v1/payments HTTP/1.1\r\n${head}`;

describe("what is no request of HTTP is answered with problem details", () => {
  test.for([
    ["bytes that are no HTTP", "hello\r\n\r\n", 400, "invalid_request"],
    ["an unknown method", `BREW /livez HTTP/1.1\r\n${head}\r\n`, 400, "invalid_request"],
    ["an unknown version", `GET /livez HTTP/9.9\r\n${head}\r\n`, 400, "invalid_request"],
    ["a header without a colon", `GET /livez HTTP/1.1\r\n${head}nonsense\r\n\r\n`, 400, "invalid_request"],
    ["a NUL in a header", `GET /livez HTTP/1.1\r\n${head}x-a: \0\r\n\r\n`, 400, "invalid_request"],
    ["no Host", "GET /livez HTTP/1.1\r\n\r\n", 400, "invalid_request"],
    [
      "a chunk whose length is none",
      `${post}transfer-encoding: chunked\r\n\r\nxyz\r\n`,
      400,
      "invalid_request",
    ],
    ["two lengths", `${post}content-length: 2\r\ncontent-length: 3\r\n\r\n{}`, 400, "invalid_request"],
    [
      "a length and chunks",
      `${post}content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}`,
      400,
      "invalid_request",
    ],
    [
      "headers of 20 kB",
      `GET /livez HTTP/1.1\r\n${head}x-long: ${"x".repeat(20_000)}\r\n\r\n`,
      431,
      "headers_too_large",
    ],
    ["a path of 20 kB", `GET /${"x".repeat(20_000)} HTTP/1.1\r\n${head}\r\n`, 431, "headers_too_large"],
    [
      "extensions of chunks of 20 kB",
      `${post}transfer-encoding: chunked\r\n\r\n2;${"x".repeat(20_000)}\r\n{}\r\n0\r\n\r\n`,
      413,
      "payload_too_large",
    ],
    [
      "another expectation",
      `${post}expect: 200-maybe\r\ncontent-length: 2\r\n\r\n`,
      417,
      "expectation_failed",
    ],
    ["a tunnel", "CONNECT example.com:443 HTTP/1.1\r\nhost: x\r\n\r\n", 404, "not_found"],
    [
      "an announced length above the limit",
      `${post}content-length: 2000000\r\n\r\n`,
      413,
      "payload_too_large",
    ],
  ] as const)("%s", async ([, bytes, status, code]) => {
    expectRawProblem(await exchangeRaw(stack.service_url, bytes), status, code);
    expect((await fetch(`${stack.service_url}/livez`)).status).toBe(200);
  });

  test("chunks above the limit", async () => {
    const chunk = `10000\r\n${"x".repeat(65_536)}\r\n`;
    const answer = await exchangeRaw(
      stack.service_url,
      `${post}transfer-encoding: chunked\r\n\r\n${chunk.repeat(20)}`,
    );
    expectRawProblem(answer, 413, "payload_too_large");
  });
});

describe.concurrent("a request that does not arrive in time is cut off with 408, at the time that is set", () => {
  test.for([
    ["headers that stop", `${post}x-slow: `],
    ["a body that stops", `${post}content-length: 100\r\n\r\n{"checkout_id":`],
    ["a connection on which nothing comes", ""],
    ["chunks that stop", `${post}transfer-encoding: chunked\r\n\r\n2\r\n{"\r\n`],
  ] as const)("%s", async ([, bytes]) => {
    const answer = await exchangeRaw(stack.service_url, bytes, { wait_ms: 8_000 });
    expectRawProblem(answer, 408, "request_timeout");
    expect(answer.headers["retry-after"]).toBe("1");
    expect(answer.milliseconds).toBeGreaterThan(1_500);
    expect(answer.milliseconds).toBeLessThan(5_000);
  });

  test("a body that comes byte by byte has no more time than one that stops", async () => {
    let isOver = false;
    const drip = exchangeRaw(stack.service_url, `${post}content-length: 1000\r\n\r\n{`, {
      wait_ms: 8_000,
      later: { when: () => new Promise((resolve) => setTimeout(resolve, 1_500)), bytes: '"checkout_id":' },
    }).finally(() => (isOver = true));
    const answer = await drip;
    expect(isOver).toBe(true);
    expectRawProblem(answer, 408, "request_timeout");
    expect(answer.milliseconds).toBeLessThan(5_000);
  });
});

test("a payment that was taken is answered before the fault that follows it on the connection", async () => {
  const body = JSON.stringify(checkoutBody());
  const answer = await exchangeRaw(
    stack.service_url,
    `${post}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}nonsense\r\n\r\n`,
  );
  expect(answer.text.match(/^HTTP\/1\.1 \d+/gm)?.[0]).toBe("HTTP/1.1 202");
});

describe("100-continue", () => {
  test("is sent once the request is let in", async () => {
    const body = JSON.stringify(checkoutBody());
    const answer = await exchangeRaw(
      stack.service_url,
      `${post}expect: 100-continue\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n`,
      { later: { when: () => new Promise((resolve) => setTimeout(resolve, 300)), bytes: body } },
    );
    expect(answer.text).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\n/);
  });

  test.for([
    ["without a key", "/api/v1/payments", 401, "unauthenticated"],
    ["where nothing is served", "/nothing", 404, "not_found"],
  ] as const)("is not sent %s", async ([, path, status, code]) => {
    const answer = await exchangeRaw(
      stack.service_url,
      `POST ${path} HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 100\r\n\r\n`,
    );
    expectRawProblem(answer, status, code);
    expect(answer.text).not.toContain("100 Continue");
  });
});

describe("answers stay short, whatever was sent", () => {
  const long = "x".repeat(15_000);
  test.for([
    ["an unknown field with a long name", JSON.stringify({ ...checkoutBody(), [long]: 1 })],
    ["a long name that no field has", JSON.stringify({ ...checkoutBody(), ["x".repeat(600_000)]: 1 })],
    ["long names inside each other", `${`{"${long}":`.repeat(31)}1${"}".repeat(31)}`],
    ["a long name that stands twice", `{"${long}":1,"${long}":1}`],
    ["a number after a long name", `{"${long}":1e400}`],
    ["a long name with a card number", JSON.stringify({ [`${long} 4242424242424242`]: 1 })],
    [
      "a hundred orders with faults",
      JSON.stringify(
        checkoutBody(
          {},
          Array.from({ length: 100 }, () => ({ amount: "x".repeat(50), currency: "XXX" })),
        ),
      ),
    ],
    [
      "9,000 unknown fields",
      JSON.stringify({
        ...checkoutBody(),
        ...Object.fromEntries(Array.from({ length: 9_000 }, (_, n) => [`field_${n}`, 1])),
      }),
    ],
  ] as const)("%s", async ([, body]) => {
    const reply = await postBytes(stack, "/api/v1/payments", body);
    expectProblem(reply, 400, reply.json["code"] as ErrorCode);
    expect(reply.text.length).toBeLessThan(10_000);
    expect(String(reply.json["param"]).length).toBeLessThanOrEqual(200);
    expect(String(reply.json["detail"]).length).toBeLessThanOrEqual(600);
    expect((reply.json["errors"] as unknown[]).length).toBeLessThanOrEqual(20);
  });

  test("faults that are not listed are counted", async () => {
    const orders = Array.from({ length: 100 }, () => ({ amount: "-1" }));
    const reply = await stack.call("POST", "/payments", checkoutBody({}, orders));
    expectProblem(reply, 400, "invalid_amount");
    expect(reply.json["errors"]).toHaveLength(20);
    expect(reply.json["detail"]).toMatch(/ 80 more faults are not listed\.$/);
  });

  test.for([
    `/payments/${"x".repeat(1_900)}`,
    `/payments?${"x".repeat(10_000)}=1`,
    `/payments?cursor=${"x".repeat(10_000)}`,
    `/payments/${"%E0%A4%A".repeat(1_000)}`,
    `/${"x".repeat(10_000)}`,
  ])("a long path or query", async (path) => {
    const reply = await stack.call("GET", path);
    expectProblem(reply, reply.status, reply.json["code"] as ErrorCode);
    expect(reply.text.length).toBeLessThan(2_000);
  });
});

test("while the process stops, a request on an open connection gets 503 with Retry-After, and one that was begun is finished", async () => {
  const stopped = await startTestStack();
  try {
    const before = await rowCounts(stopped.db);
    let hasEnded = false;
    const signal = async (): Promise<void> => {
      await new Promise((resolve) => setTimeout(resolve, 300));
      void stopped.service.stop().then(() => (hasEnded = true));
      await new Promise((resolve) => setTimeout(resolve, 500));
    };
    const signaled = signal();
    const body = JSON.stringify(checkoutBody());
    const [late, begun, alive] = await Promise.all([
      exchangeRaw(stopped.service_url, `GET /api/v1/payments HTTP/1.1\r\n${head}`, {
        later: { when: () => signaled, bytes: "\r\n" },
      }),
      exchangeRaw(stopped.service_url, `${post}content-length: ${Buffer.byteLength(body)}\r\n\r\n{`, {
        later: { when: () => signaled, bytes: body.slice(1) },
      }),
      exchangeRaw(stopped.service_url, "GET /livez HTTP/1.1\r\nhost: x\r\n", {
        later: { when: () => signaled, bytes: "\r\n" },
      }),
    ]);
    expectRawProblem(late, 503, "unavailable");
    expect([late.headers["retry-after"], late.headers["connection"]]).toEqual(["1", "close"]);
    expect([begun.status, alive.status]).toEqual([202, 200]);
    await expect.poll(() => hasEnded, { timeout: 20_000 }).toBe(true);
    expect(await stopped.db.asOwner("select 1 from payment_orders")).toHaveLength(
      Number(before["public.payment_orders"]) + 1,
    );
  } finally {
    await stopped.stopAll();
  }
});
