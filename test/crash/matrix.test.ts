import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chargeFaults, faultsWithoutEnd } from "../../chaos/cards.ts";
import { crashPointNames } from "../../src/payments/payments.ts";
import { FAULT_NAMES } from "../../simulator/src/fault-names.ts";
import { startTestStack, type TestStack } from "../support/stack.ts";
import { Shop, expectNothingLostOrDoubled, quickRecovery } from "./recovery.ts";

/** Faults that a card may bring with it; the others strike the next charges, whichever these are, and pass. */
const cardFaults = chargeFaults.filter((fault) => !faultsWithoutEnd.includes(fault));

let stack: TestStack;
const shops: Shop[] = [];
beforeAll(async () => {
  stack = await startTestStack({
    environment: { ...quickRecovery, RETRY_BACKOFF_BASE: "1", MAX_RETRY_ATTEMPTS: "3" },
    has_webhooks: true,
  });
});
afterAll(() => stack.stopAll());

test("every fault of the simulator is in the matrix", () => {
  expect(new Set<string>(chargeFaults)).toEqual(new Set(FAULT_NAMES));
});

describe("kill -9 at every step of the service, under every fault of the PSP", () => {
  test.each(crashPointNames)(
    "dies %s",
    async (point) => {
      const shop = new Shop(stack);
      shops.push(shop);
      await stack.service.stop();
      // Amid the orders of one checkout each, so that some are before the step, some at it and some behind.
      await stack.restartService({
        CRASH_POINT: point === "in_outcome_commit" ? `${point}:2` : `${point}:5`,
      });
      await stack.setFaults({ next: faultsWithoutEnd.map((fault) => ({ fault, count: 1 })) });
      const shopping = Promise.all([
        ...cardFaults.map((fault) => shop.order(`tok_fault_${fault}`)),
        ...faultsWithoutEnd.map(() => shop.order()),
      ]);
      await stack.service.ended();
      await stack.restartService();
      await shopping;
      expect([...shop.statuses.keys()].filter((status) => ![0, 202, 503].includes(status))).toEqual([]);
    },
    60_000,
  );

  test("in the end each order is decided, charged once if it is paid and never if it is not", async () => {
    for (const shop of shops)
      await expectNothingLostOrDoubled(stack, shop, { seconds: 45, states: ["SUCCESS", "FAILED"] });
    // Only a card whose every charge fails at the PSP may have used up its attempts.
    const failed = await stack.db.asOwner(
      "select distinct e.credit_card_info->>'token' as token from payment_orders o join payment_events e using (checkout_id) where o.status = 'FAILED'",
    );
    expect(failed.map(({ token }) => String(token))).toEqual(["tok_fault_500_before"]);
    expect(shops.flatMap((shop) => shop.paymentOrderIds)).toHaveLength(
      crashPointNames.length * chargeFaults.length * 2,
    );
  }, 60_000);
});
