import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { crashPointNames } from "../../src/payments/payments.ts";
import { startTestStack, type TestStack } from "../support/stack.ts";
import { Shop, expectNothingLostOrDoubled, quickRecovery } from "./recovery.ts";

let stack: TestStack;
beforeAll(async () => {
  // The PSP answers at once here, so that a shorter lease does.
  const environment = { ...quickRecovery, JOB_LEASE_SECONDS: "2", PSP_TIMEOUT_SECONDS: "0.45" };
  stack = await startTestStack({ environment });
});
afterAll(() => stack.stopAll());

describe("after kill -9 of the service, no order is charged twice and none is lost", () => {
  test.each(crashPointNames)(
    "when it dies %s",
    async (point) => {
      const shop = new Shop(stack);
      await stack.service.stop();
      // Where each order passes alone, not at the first one, so that some are before the step and some behind it.
      await stack.restartService({
        CRASH_POINT: point === "in_outcome_commit" ? `${point}:1` : `${point}:3`,
      });
      const shopping = Promise.all(Array.from({ length: 10 }, () => shop.order()));
      await stack.service.ended();
      await stack.restartService();
      await shopping;
      await expectNothingLostOrDoubled(stack, shop);
    },
    90_000,
  );

  test("when it dies at random moments under load", async () => {
    const shop = new Shop(stack);
    const kills = 4;
    let isOver = false;
    const shopping = Promise.all(
      Array.from({ length: 8 }, async () => {
        while (!isOver) await shop.order();
      }),
    );
    for (let kill = 0; kill < kills; kill++) {
      await new Promise((resolve) => setTimeout(resolve, 200 + Math.random() * 1_000));
      await stack.service.kill();
      await stack.restartService();
    }
    isOver = true;
    await shopping;
    expect(shop.paymentOrderIds.length).toBeGreaterThan(20);
    await expectNothingLostOrDoubled(stack, shop);
  }, 90_000);
});
