import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestStack, type TestStack } from "../support/stack.ts";
import { acceptCheckout, card, orderIn, path, until } from "./requests.ts";

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack({
    environment: { PSP_BREAKER_FAILURES: "3", PSP_BREAKER_OPEN_SECONDS: "2", PSP_CONCURRENCY: "4" },
  });
});
afterAll(() => stack.stopAll());

async function breakerState(): Promise<string | undefined> {
  const metrics = await (await fetch(`${stack.operationsUrl()}/metrics`)).text();
  return /pacioli_psp_breaker_open\{psp="stripe"\} (\d)/.exec(metrics)?.[1];
}

test("declines do not open the breaker: they are clear answers", async () => {
  const { order_ids } = await acceptCheckout(
    stack,
    card("tok_card_declined"),
    Array.from({ length: 8 }, () => ({})),
  );
  for (const id of order_ids) await orderIn(stack, id, "FAILED");
  expect(await breakerState()).not.toBe("1");
});

test("while the PSP is gone orders wait, the breaker holds calls back, the API answers; when it is back every order is paid once (R195)", async () => {
  const before = await acceptCheckout(stack);
  await orderIn(stack, before.order_ids[0], "SUCCESS");
  await stack.simulator.kill();

  const during = await acceptCheckout(
    stack,
    {},
    Array.from({ length: 12 }, () => ({})),
  );
  await until("the breaker has opened", async () => (await breakerState()) === "1");
  // Longer than the breaker stays open, so that trials are made and fail.
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  const waiting = await Promise.all(
    during.order_ids.map((id) => orderIn(stack, id, "NOT_STARTED", "RETRY_SCHEDULED")),
  );
  const attempts = waiting.flatMap((order) => order.attempts);
  for (const attempt of attempts)
    expect(attempt).toMatchObject({
      status: "not_sent",
      failure_class: "unreachable",
      failure_code: expect.stringMatching(/^psp_un(reachable|available)$/) as string,
      psp_reference: null,
    });
  // All twelve were started with their acceptance; then a trial every two seconds at the most.
  expect(attempts.length).toBeGreaterThanOrEqual(12);
  expect(attempts.length).toBeLessThanOrEqual(15);
  const started = performance.now();
  expect((await stack.call("GET", "/payments")).status).toBe(200);
  expect(performance.now() - started).toBeLessThan(1_000);

  await stack.restartSimulator();
  for (const id of during.order_ids) {
    const order = await orderIn(stack, id, "SUCCESS");
    expect(path(order)).toMatch(/^NOT_STARTED EXECUTING( RETRY_SCHEDULED EXECUTING)* SUCCESS$/);
  }
  await until("the breaker has closed", async () => (await breakerState()) === "0");
  expect(await stack.effectsSummary()).toEqual(
    expect.objectContaining({ charges: 13, duplicate_orders: [] }),
  );
  expect((await stack.call("GET", `/checkouts/${during.checkout_id}`)).json).toMatchObject({
    is_payment_done: true,
  });
});
