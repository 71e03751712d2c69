import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestStack, type TestStack } from "../support/stack.ts";
import { acceptCheckout, orderIn, path } from "./requests.ts";

let stack: TestStack;
beforeAll(async () => {
  // One call at a time: the process may hold sixteen orders.
  stack = await startTestStack({ environment: { PSP_CONCURRENCY: "1" } });
});
afterAll(() => stack.stopAll());

async function jobsOf(orderIds: readonly string[]): Promise<number> {
  const [row] = await stack.db.asOwner(
    "select count(*)::int as jobs from pgboss.job where name = 'payment_execute' and data ->> 'payment_order_id' = any ($1)", [orderIds]);
  return Number(row?.["jobs"]);
}

test("an order starts with its acceptance and passes no queue", async () => {
  // The first may still queue: the process has not looked yet whether older orders wait.
  const first = await acceptCheckout(stack);
  await orderIn(stack, first.order_ids[0], "SUCCESS");
  const { order_ids } = await acceptCheckout(stack, {}, [{}, {}]);
  for (const id of order_ids) expect(path(await orderIn(stack, id, "SUCCESS"))).toBe("NOT_STARTED EXECUTING SUCCESS");
  expect(await jobsOf(order_ids)).toBe(0);
});

test("what a process cannot hold waits in the queue, and every order is paid once", async () => {
  const { order_ids } = await acceptCheckout(stack, {}, Array.from({ length: 40 }, () => ({})));
  for (const id of order_ids) expect(path(await orderIn(stack, id, "SUCCESS"))).toBe("NOT_STARTED EXECUTING SUCCESS");
  expect(await jobsOf(order_ids)).toBe(24);
  expect(await stack.effectsSummary()).toMatchObject({ charges: 43, duplicate_orders: [] });
});
