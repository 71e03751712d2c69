import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { operationFaults } from "../../chaos/cards.ts";
import { verifyBooks } from "../../src/cli/verify.ts";
import { MODIFICATION_FAULT_NAMES } from "../../simulator/src/fault-names.ts";
import { checkoutBody, startTestStack, type TestStack } from "../support/stack.ts";
import { quickRecovery } from "./recovery.ts";

let stack: TestStack;
const orderIds: string[] = [];
beforeAll(async () => {
  stack = await startTestStack({
    environment: { ...quickRecovery, RETRY_BACKOFF_BASE: "1" },
    has_webhooks: true,
  });
});
afterAll(() => stack.stopAll());

/** The steps of a capture or void at which the service can die. */
const points = ["after_claim", "after_psp_call", "in_outcome_commit", "after_outcome_commit"] as const;

const voids_of_each_point = 6;

test("every fault of captures and voids is in the matrix", () => {
  expect(new Set<string>(operationFaults)).toEqual(new Set(MODIFICATION_FAULT_NAMES));
});

/** Orders of 10.00 USD that are authorised. */
async function authorise(count: number): Promise<string[]> {
  const bodies = Array.from({ length: count }, () =>
    checkoutBody({ capture_method: "manual" }, [{ amount: "10.00" }]),
  );
  const ids = bodies.map((body) => `${String(body["checkout_id"])}-order-1`);
  for (const body of bodies) expect((await stack.call("POST", "/payments", body)).status).toBe(202);
  for (const id of ids) await stack.waitForOrder(id, ["AUTHORIZED"]);
  return ids;
}

/** A client that asks until it is taken, under one key: a cancel whose answer was lost may have been carried out. */
async function insist(path: string, body?: unknown): Promise<void> {
  const headers = { "idempotency-key": randomUUID() };
  for (let tries = 1; tries <= 300; tries++) {
    const status = await stack.call("POST", path, body, headers).then(
      (reply) => reply.status,
      () => 0,
    );
    if (status === 202) return;
    expect([0, 503]).toContain(status);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("not taken within 30 s");
}

describe("kill -9 at every step of a capture and of a void, under every fault of the PSP", () => {
  test.each(points)(
    "dies %s",
    async (point) => {
      const [ids, voided] = [await authorise(operationFaults.length), await authorise(voids_of_each_point)];
      orderIds.push(...ids, ...voided);
      await stack.service.stop();
      await stack.restartService({
        CRASH_POINT: point === "in_outcome_commit" ? `${point}:2` : `${point}:6`,
      });
      await stack.setFaults({ next_modifications: operationFaults.map((fault) => ({ fault, count: 1 })) });
      // Two parts of each order, and some that are given up as a whole.
      const shopping = Promise.all([
        ...ids.map(async (id, index) => {
          await insist(`/payments/${id}/capture`, { capture_id: "one", amount: "3.00", is_final: false });
          await insist(`/payments/${id}/capture`, {
            capture_id: "two",
            amount: "4.00",
            is_final: index % 2 === 0,
          });
        }),
        ...voided.map((id) => insist(`/payments/${id}/cancel`)),
      ]);
      await stack.service.ended();
      await stack.restartService();
      await shopping;
    },
    60_000,
  );

  test("in the end each capture is decided and was made as often as it is booked: once, or never", async () => {
    const deadline = performance.now() + 45_000;
    for (;;) {
      const open = await stack.db.asOwner(
        "select operation_id, kind, status from operations where status not in ('succeeded', 'failed')",
      );
      if (open.length === 0) break;
      if (performance.now() > deadline) throw new Error(`not decided: ${JSON.stringify(open)}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const failed = await stack.db.asOwner("select failure_code from operations where status = 'failed'");
    expect(failed).toEqual([]);
    for (const id of orderIds) {
      const { data } = await stack.effects(`payment_order_id=${id}`);
      const made = await stack.db.asOwner(
        "select amount_minor::int from operations where payment_order_id = $1 and kind = 'capture' order by 1",
        [id],
      );
      expect(data.map(({ amount_minor }) => amount_minor).toSorted((a, b) => a - b)).toEqual(
        made.map(({ amount_minor }) => Number(amount_minor)),
      );
    }
    const counts = await stack.db.asOwner(
      "select kind::text, count(*)::int as count from operations group by kind order by kind",
    );
    expect(counts).toEqual([
      { kind: "capture", count: points.length * operationFaults.length * 2 },
      { kind: "void", count: points.length * voids_of_each_point },
    ]);
    const [canceled] = await stack.db.asOwner(
      "select count(*)::int as count from payment_orders where status = 'CANCELED'",
    );
    expect(canceled).toEqual({ count: points.length * voids_of_each_point });
    expect((await verifyBooks(stack.db.database)).flatMap((check) => check.faults)).toEqual([]);
  }, 60_000);
});
