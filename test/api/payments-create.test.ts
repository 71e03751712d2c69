import { afterAll, beforeAll, expect, test } from "vitest";
import { checkoutBody, startTestStack, type TestStack } from "../support/stack.ts";

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack();
});
afterAll(() => stack.stopAll());

test("answers 202 at once and brings every order to SUCCESS with its wallet and ledger", async () => {
  const body = checkoutBody({}, [
    { amount: "29.99", seller_account: "seller_bob" },
    { amount: "15.50", seller_account: "seller_charlie" },
  ]);
  const { status, json } = await stack.call("POST", "/payments", body);
  expect(status).toBe(202);
  expect(json["payment_event_status"]).toBe("PROCESSING");
  for (const order of body["payment_orders"] as { payment_order_id: string }[]) {
    const paid = await stack.waitForOrder(order.payment_order_id, ["SUCCESS"]);
    expect(paid).toMatchObject({ wallet_updated: true, ledger_updated: true, retry_count: 0 });
    expect(await stack.effects(`payment_order_id=${order.payment_order_id}`)).toMatchObject({ count: 1 });
  }
  const checkout = await stack.call("GET", `/checkouts/${String(body["checkout_id"])}`);
  expect(checkout.json).toMatchObject({ payment_event_status: "COMPLETE", is_payment_done: true });
});
