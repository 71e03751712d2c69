import { randomBytes } from "node:crypto";
import { connect } from "node:net";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ChildProcess } from "../../src/cli/child-process.ts";
import { onServer, serverUrl } from "../support/database.ts";
import { startTestStack, type TestStack } from "../support/stack.ts";
import { acceptCheckout, expectProblem, orderIn, replyOf, until } from "./requests.ts";

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack();
});
afterAll(() => stack.stopAll());

const get = async (url: string) => replyOf(await fetch(url));

test("health and metrics are told on a listener of their own, without a key", async () => {
  const { order_ids } = await acceptCheckout(stack);
  await orderIn(stack, order_ids[0], "SUCCESS");
  for (const path of ["/livez", "/readyz"]) {
    expect(await get(`${stack.operationsUrl()}${path}`)).toMatchObject({
      status: 200,
      text: '{"status":"ok"}',
    });
  }
  const metrics = await (await fetch(`${stack.operationsUrl()}/metrics`)).text();
  expect(metrics).toMatch(/pacioli_payment_orders_total\{status="SUCCESS"\} \d+/);
  expect(metrics).toMatch(/pacioli_http_request_seconds_count\{route="\/api\/v1\/payments"/);
});

test("the API's listener tells neither, with a key or without; it says only that the process lives", async () => {
  expect(await get(`${stack.service_url}/livez`)).toMatchObject({ status: 200, text: '{"status":"ok"}' });
  for (const path of ["/readyz", "/metrics"]) {
    expectProblem(await get(`${stack.service_url}${path}`), 404, "not_found");
    const headers = { authorization: "Bearer sk_dev" };
    expectProblem(await replyOf(await fetch(`${stack.service_url}${path}`, { headers })), 404, "not_found");
  }
});

test("the listener for operations serves nothing of the API", async () => {
  for (const path of ["/api/v1/payments", "/api/v1/webhooks/stripe", "/openapi.json", "/pay/x?token=y"]) {
    const headers = { authorization: "Bearer sk_dev" };
    expectProblem(
      await replyOf(await fetch(`${stack.operationsUrl()}${path}`, { headers })),
      404,
      "not_found",
    );
  }
});

test("it listens on this machine only, unless a host is set", async () => {
  const own = Object.values(networkInterfaces())
    .flat()
    .find((address) => address?.family === "IPv4" && !address.internal);
  if (own === undefined) return expect(new URL(stack.operationsUrl()).hostname).toBe("127.0.0.1");
  const socket = connect(Number(new URL(stack.operationsUrl()).port), own.address);
  const result = await new Promise((resolve) => {
    socket.once("connect", () => resolve("connected"));
    socket.once("error", () => resolve("refused"));
  });
  socket.destroy();
  expect(result).toBe("refused");
});

test("a process that only works listens for operations, and not for the API", async () => {
  const worker = new ChildProcess({
    name: "worker",
    script: join(import.meta.dirname, "../../src/main.ts"),
    arguments: ["work"],
    ready_event: "service_ready",
    environment: {
      DATABASE_URL: stack.db.service_url,
      MIGRATION_DATABASE_URL: "",
      PORT: new URL(stack.service_url).port,
      OPERATIONS_PORT: "0",
      LOG_LEVEL: "fatal",
      SECRET_KEY: "b6f7d1c04e9a4d2fa3718c5e60d94b27c8",
      PSP_STRIPE_SECRET_KEY: `sk_live_${randomBytes(18).toString("base64")}`,
    },
  });
  try {
    const url = await worker.start();
    // It would not have started on the port of the API, which is taken.
    expect(url).toBe(worker.readyText("operations_url"));
    await until("the worker is ready", async () => (await get(`${url}/readyz`)).status === 200);
  } finally {
    await worker.stop();
  }
});

test("a database that does not answer makes the process not ready, and nobody is told its address, login or name", async () => {
  const lost = await startTestStack();
  try {
    expect((await get(`${lost.operationsUrl()}/readyz`)).status).toBe(200);
    await onServer(serverUrl(), `alter database ${lost.db.name} allow_connections false`);
    await onServer(
      serverUrl(),
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${lost.db.name}'`,
    );
    let reply = await get(`${lost.operationsUrl()}/readyz`);
    await until(
      "the process is not ready",
      async () => (reply = await get(`${lost.operationsUrl()}/readyz`)).status === 503,
    );
    expectProblem(reply, 503, "unavailable");
    expect(reply.json["detail"]).toBe("The database does not answer.");
    expect(reply.headers.get("retry-after")).toBe("1");
    for (const secret of [lost.db.name, "127.0.0.1", "postgres", "pacioli_app"])
      expect(reply.text.replaceAll("pacioli.dev", "")).not.toContain(secret);
    expect((await get(`${lost.service_url}/livez`)).status).toBe(200);
  } finally {
    await lost.stopAll();
  }
});
