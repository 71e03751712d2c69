import { connect, type Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { checkoutBody, startTestStack, type TestStack } from "../support/stack.ts";

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack({
    environment: { RATE_LIMIT_PER_SECOND: "1000000", CALLS_AT_ONCE_MAX: "300", READS_WAITING_MAX: "200" },
  });
});
afterAll(() => stack.stopAll());

const seconds = (since: number): number => (performance.now() - since) / 1_000;

/**
 * Opens connections that each send the same read many times without waiting for answers; gives the statuses.
 */
async function pipelinedReads(
  connections: number,
  reads: number,
  path: string,
): Promise<Map<number, number>> {
  const { hostname, port, host } = new URL(stack.service_url);
  const request = `GET /api/v1${path} HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer sk_dev\r\n\r\n`;
  const statuses = new Map<number, number>();
  await Promise.all(
    Array.from(
      { length: connections },
      () =>
        new Promise<void>((resolve, reject) => {
          const socket: Socket = connect(Number(port), hostname, () => socket.write(request.repeat(reads)));
          let rest = "";
          let answers = 0;
          socket.setEncoding("latin1");
          socket.on("error", reject);
          socket.on("data", (chunk: string) => {
            const text = rest + chunk;
            for (const [, status] of text.matchAll(/HTTP\/1\.1 (\d{3}) /g)) {
              statuses.set(Number(status), (statuses.get(Number(status)) ?? 0) + 1);
              answers += 1;
            }
            // A status line that is cut by the end of a chunk comes whole with the next one.
            const start = text.lastIndexOf("HTTP/1.1 ");
            rest =
              start >= 0 && text.length - start < 13
                ? text.slice(start)
                : (text.slice(-8).match(/H(T(T(P(\/(1(\.(1)?)?)?)?)?)?)?$/)?.[0] ?? "");
            if (answers === reads) socket.end(resolve);
          });
        }),
    ),
  );
  return statuses;
}

test("under 100 connections with 100 reads each the service stays ready, takes payments, and tells the rest to wait", async () => {
  const start = performance.now();
  let isOver = false;
  const storm = pipelinedReads(100, 100, "/payments").finally(() => {
    isOver = true;
  });
  const ready: { status: number; seconds: number }[] = [];
  const paid: { status: number; seconds: number }[] = [];
  const watch = async (): Promise<void> => {
    while (!isOver) {
      const asked = performance.now();
      ready.push({
        status: (await fetch(`${stack.operationsUrl()}/readyz`)).status,
        seconds: seconds(asked),
      });
    }
  };
  const pay = async (): Promise<void> => {
    while (!isOver) {
      const asked = performance.now();
      paid.push({
        status: (await stack.call("POST", "/payments", checkoutBody())).status,
        seconds: seconds(asked),
      });
    }
  };
  const [statuses] = await Promise.all([storm, watch(), pay()]);
  expect([...statuses.values()].reduce((sum, count) => sum + count, 0)).toBe(10_000);
  expect([...statuses.keys()].filter((status) => status !== 200 && status !== 429)).toEqual([]);
  expect(statuses.get(200)).toBeGreaterThan(100);
  expect(statuses.get(429)).toBeGreaterThan(100);
  expect([...new Set(ready.map(({ status }) => status))]).toEqual([200]);
  // The limit of calls at a time is for reads and payments of a key alike; a refused payment is told to come
  // back.
  expect(paid.filter(({ status }) => status !== 202 && status !== 429)).toEqual([]);
  // Without turns a health check and a payment waited for three quarters of the storm.
  const half = Math.max(1, seconds(start) / 2);
  for (const answers of [ready, paid])
    expect(Math.max(...answers.map((answer) => answer.seconds))).toBeLessThan(half);
}, 90_000);

test("places of calls whose connections broke are given back", async () => {
  const { hostname, port, host } = new URL(stack.service_url);
  const request = `GET /api/v1/payments HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer sk_dev\r\n\r\n`;
  for (let round = 0; round < 5; round++) {
    await Promise.all(
      Array.from(
        { length: 10 },
        () =>
          new Promise<void>((resolve, reject) => {
            const socket = connect(Number(port), hostname, () =>
              socket.write(request.repeat(50), () => socket.destroy()),
            );
            socket.on("close", () => resolve());
            socket.on("error", reject);
          }),
      ),
    );
  }
  await expect
    .poll(
      async () =>
        (await Promise.all(Array.from({ length: 100 }, () => stack.call("GET", "/payments?limit=1")))).map(
          ({ status }) => status,
        ),
      { timeout: 10_000 },
    )
    .toEqual(Array.from({ length: 100 }, () => 200));
});
