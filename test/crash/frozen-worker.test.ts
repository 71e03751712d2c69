import { afterAll, beforeAll, expect, test } from "vitest";
import type { ChildProcess } from "../../src/cli/child-process.ts";
import { verifyBooks } from "../../src/cli/verify.ts";
import { orderIn, path, until } from "../api/requests.ts";
import { checkoutBody, freePort, startTestStack, type TestStack } from "../support/stack.ts";
import { quickRecovery } from "./recovery.ts";

let stack: TestStack;
/** Another worker on the same database. */
let rescuer: ChildProcess;

beforeAll(async () => {
  // The worker that will freeze cannot reach its PSP: its connect fails once it goes on.
  const nowhere = `http://127.0.0.1:${await freePort()}`;
  stack = await startTestStack({ environment: { ...quickRecovery, PSP_BREAKER_FAILURES: "1000", PSP_STRIPE_API_BASE: nowhere } });
  rescuer = stack.anotherService();
});
afterAll(async () => {
  stack.service.thaw();
  await rescuer.stop();
  await stack.stopAll();
});

const attempts = (id: string): Promise<unknown[]> =>
  stack.db.asOwner("select attempt_number, status, failure_code from payment_attempts where payment_order_id = $1 order by 1", [id]);

/** Posts an order to a worker that freezes between its claim and its call; the answer comes when it goes on. */
async function postAndFreeze(): Promise<string> {
  await stack.service.stop();
  await stack.restartService({ FREEZE_POINT: "after_claim:1" });
  const body = checkoutBody();
  const posting = stack.call("POST", "/payments", body);
  posting.catch(() => undefined);
  const id = `${String(body["checkout_id"])}-order-1`;
  await until("the order is stored", async () => (await attempts(id)).length === 1);
  return id;
}

test("a worker that freezes before its first send, and cannot connect after another one has sent it, closes nothing", async () => {
  const id = await postAndFreeze();
  // The rescuer's charge is made, and its answer lost.
  await stack.setFaults({ next: [{ fault: "timeout_after_charge", count: 1 }] });
  await rescuer.start({ PSP_STRIPE_API_BASE: stack.simulator_url });
  await until("the rescuer has charged", async () => (await stack.effects(`payment_order_id=${id}`)).count === 1, 30);
  // Nobody learns of it yet, so the attempt is open when the frozen worker reports that it could not connect.
  await stack.setFaults({ latency_ms: 5_000 });
  stack.service.thaw();
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  expect(await attempts(id)).toEqual([{ attempt_number: 1, status: expect.stringMatching(/^(executing|unknown)$/) as string, failure_code: expect.anything() as unknown }]);
  await stack.service.stop();
  await stack.setFaults({ latency_ms: 0 });
  await until("the rescuer finds the charge", async () =>
    (await stack.db.asOwner("select 1 from payment_orders where payment_order_id = $1 and status = 'SUCCESS'", [id])).length === 1, 30);
  await stack.restartService();
  expect(path(await orderIn(stack, id, "SUCCESS"))).toBe("NOT_STARTED EXECUTING UNKNOWN SUCCESS");
  expect(await attempts(id)).toHaveLength(1);
  expect(await stack.effectsSummary()).toMatchObject({ charges: 1, duplicate_orders: [] });
  expect((await verifyBooks(stack.db.database)).flatMap((check) => check.faults)).toEqual([]);
}, 90_000);
