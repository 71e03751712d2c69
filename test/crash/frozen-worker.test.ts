import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { ChildProcess } from "../../src/cli/child-process.ts";
import { verifyBooks } from "../../src/cli/verify.ts";
import { acceptCheckout, orderIn, path, until } from "../api/requests.ts";
import { checkoutBody, freePort, startTestStack, type TestStack } from "../support/stack.ts";
import { quickRecovery } from "./recovery.ts";

let stack: TestStack;
/** Another worker on the same database. */
let rescuer: ChildProcess;
/** Where no PSP is: a connect fails. */
let nowhere: string;

beforeAll(async () => {
  nowhere = `http://127.0.0.1:${await freePort()}`;
  stack = await startTestStack({ environment: { ...quickRecovery, PSP_BREAKER_FAILURES: "1000" } });
  rescuer = stack.anotherService();
});
beforeEach(async () => {
  await stack.setFaults({ latency_ms: 0, next: [], next_modifications: [] });
});
afterAll(async () => {
  stack.service.thaw();
  await rescuer.stop();
  await stack.stopAll();
});

/** The service starts anew and will freeze at the point, which the next work passes. */
async function freezeAt(FREEZE_POINT: string, psp: string): Promise<void> {
  await rescuer.stop();
  await stack.service.stop();
  await stack.restartService({ FREEZE_POINT: `${FREEZE_POINT}:1`, PSP_STRIPE_API_BASE: psp });
}

/** Posts an order to a service that freezes at it; the answer comes when it goes on. */
async function postOrder(): Promise<string> {
  const body = checkoutBody();
  const posting = stack.call("POST", "/payments", body);
  posting.catch(() => undefined);
  const id = `${String(body["checkout_id"])}-order-1`;
  await until("the order is stored", async () => (await attempts(id)).length === 1);
  return id;
}

/** The frozen service goes on and records its outcomes; for so long the PSP answers nobody in time. */
async function thaw(): Promise<void> {
  await stack.setFaults({ latency_ms: 5_000 });
  stack.service.thaw();
  await new Promise((resolve) => setTimeout(resolve, 1_500));
}

const charges = async (id: string): Promise<number> => (await stack.effects(`payment_order_id=${id}`)).count;
const attempts = (id: string): Promise<Record<string, unknown>[]> =>
  stack.db.asOwner(
    "select attempt_number, status, epoch from payment_attempts where payment_order_id = $1 order by 1",
    [id],
  );
const capturesOf = (id: string): Promise<Record<string, unknown>[]> =>
  stack.db.asOwner("select status, key_number, epoch from operations where payment_order_id = $1", [id]);

async function expectOneCharge(id: string): Promise<void> {
  expect(await charges(id)).toBe(1);
  expect(await stack.effectsSummary()).toMatchObject({ duplicate_orders: [] });
  expect((await verifyBooks(stack.db.database)).flatMap((check) => check.faults)).toEqual([]);
}

test("a worker that freezes before its first send, and cannot connect after another one has sent it, closes nothing", async () => {
  await freezeAt("after_claim", nowhere);
  const id = await postOrder();
  // The rescuer's charge is made, and its answer lost.
  await stack.setFaults({ next: [{ fault: "timeout_after_charge", count: 1 }] });
  await rescuer.start();
  await until("the rescuer has charged", async () => (await charges(id)) === 1, 30);
  await thaw();
  expect(await attempts(id)).toMatchObject([
    { attempt_number: 1, status: expect.stringMatching(/^(executing|unknown)$/) as string },
  ]);
  await stack.service.stop();
  await stack.setFaults({ latency_ms: 0 });
  await stack.restartService();
  expect(path(await orderIn(stack, id, "SUCCESS"))).toBe("NOT_STARTED EXECUTING UNKNOWN SUCCESS");
  expect(await attempts(id)).toHaveLength(1);
  await expectOneCharge(id);
}, 90_000);

test("a worker that freezes with the PSP's answer in its hands is believed, though another one has taken the attempt up", async () => {
  await freezeAt("after_psp_call", stack.simulator_url);
  const id = await postOrder();
  await until("it has charged", async () => (await charges(id)) === 1);
  await stack.setFaults({ latency_ms: 5_000 });
  await rescuer.start();
  await until(
    "the rescuer has taken it up, in vain",
    async () => (await attempts(id))[0]?.["status"] === "unknown",
    30,
  );
  await thaw();
  expect(await attempts(id)).toMatchObject([{ status: "succeeded" }]);
  await stack.setFaults({ latency_ms: 0 });
  expect((await orderIn(stack, id, "SUCCESS")).attempts).toHaveLength(1);
  await expectOneCharge(id);
}, 90_000);

test("a worker that freezes before it sends a capture, and cannot connect after another one has made it, changes no key", async () => {
  await stack.service.stop();
  await stack.restartService();
  const {
    order_ids: [id],
  } = await acceptCheckout(stack, { capture_method: "manual" }, [{ amount: "50.00" }]);
  await orderIn(stack, id, "AUTHORIZED");
  await freezeAt("after_claim", nowhere);
  await stack.setFaults({ next_modifications: [{ fault: "timeout_after_charge", count: 1 }] });
  const capturing = stack.call("POST", `/payments/${id}/capture`, {
    capture_id: "one",
    amount: "10.00",
    is_final: false,
  });
  capturing.catch(() => undefined);
  await until("the capture was claimed", async () => (await capturesOf(id))[0]?.["epoch"] === 1);
  await rescuer.start();
  await until("the rescuer has captured", async () => (await charges(id)) === 1, 30);
  await thaw();
  expect(await capturesOf(id)).toMatchObject([
    { status: expect.stringMatching(/^(executing|unknown)$/) as string, key_number: 1 },
  ]);
  await stack.service.stop();
  await stack.setFaults({ latency_ms: 0 });
  await stack.restartService();
  await until(
    "the capture is decided",
    async () => (await capturesOf(id))[0]?.["status"] === "succeeded",
    30,
  );
  expect(await capturesOf(id)).toMatchObject([{ key_number: 1 }]);
  await expectOneCharge(id);
}, 90_000);
