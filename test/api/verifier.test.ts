import { afterAll, beforeAll, expect, test } from "vitest";
import { createVerifier } from "../../src/cli/verifier.ts";
import { createLogger } from "../../src/log.ts";
import { metricsRegistry } from "../../src/metrics.ts";
import { checkoutBody, startTestStack, type TestStack } from "../support/stack.ts";
import { until } from "./requests.ts";

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack({});
});
afterAll(async () => {
  await stack.stop();
  await stack.db.drop();
});

test("a worker verifies what is new, keeps the result and tells the share of money that is verified", async () => {
  await stack.call("POST", "/payments", checkoutBody({}, [{ payment_order_id: "o-1" }]));
  await stack.waitForOrder("o-1", ["SUCCESS"]);
  const verifier = createVerifier(stack.db.database, createLogger("fatal"));
  verifier.start();
  await until("a run is kept and measured", async () => {
    verifier.wake();
    const metrics = await metricsRegistry.metrics();
    return metrics.includes('pacioli_ledger_verified_ratio{currency="USD"} 1\n');
  });
  await verifier.stop();
  const runs = await stack.db.asOwner("select mode, fault_count, debits from verify_runs");
  expect(runs).toEqual([{ mode: "full", fault_count: 0, debits: { USD: "2999" } }]);
});
