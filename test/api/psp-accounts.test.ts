import { createHmac } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestStack, type TestStack } from "../support/stack.ts";
import { acceptCheckout, orderIn } from "./requests.ts";

const webhook_secret = "whsec_of_the_european_account";
let stack: TestStack;
beforeAll(async () => {
  // Where the simulator listens is known only when it runs: so the service gets its accounts at its second start.
  stack = await startTestStack();
  const accounts = [
    {
      name: "stripe-eu",
      kind: "stripe",
      secret_key_env: "STRIPE_EU_KEY",
      webhook_secrets_env: "STRIPE_EU_WEBHOOKS",
      api_base: stack.simulator_url,
      calls_at_once_max: 8,
    },
    { name: "stripe-us", kind: "stripe", secret_key_env: "STRIPE_US_KEY", api_base: stack.simulator_url },
  ];
  await stack.service.stop();
  await stack.restartService({
    PSP_ACCOUNTS: JSON.stringify(accounts),
    STRIPE_EU_KEY: "sk_test_simulator",
    STRIPE_US_KEY: "sk_test_simulator",
    STRIPE_EU_WEBHOOKS: `whsec_old,${webhook_secret}`,
    PSP_ROUTING: JSON.stringify([{ when: { currencies: ["EUR"] }, to: [{ psp: "stripe-eu", weight: 1 }] }]),
  });
});
afterAll(() => stack.stopAll());

test("an order is charged with the first account where no rule fits, under that account's name in its attempt and in the ledger", async () => {
  const { order_ids } = await acceptCheckout(stack);
  const order = await orderIn(stack, order_ids[0], "SUCCESS");
  expect(order.attempts).toEqual([expect.objectContaining({ psp: "stripe-eu", status: "succeeded" })]);
  const clearing = await stack.call("GET", "/ledger/accounts/psp:stripe-eu:clearing/balance?currency=USD");
  expect(clearing.json).toMatchObject({ balance: "29.99" });
});

test("each account has its own address for webhooks, with its own secrets", async () => {
  const body = JSON.stringify({
    id: "evt_1",
    object: "event",
    type: "payout.paid",
    data: { object: { id: "po_1", object: "payout" } },
  });
  const time = Math.floor(Date.now() / 1_000);
  const signature = `t=${time},v1=${createHmac("sha256", webhook_secret).update(`${time}.${body}`).digest("hex")}`;
  const sendTo = async (name: string): Promise<number> =>
    (await stack.call("POST", `/webhooks/${name}`, body, { "stripe-signature": signature })).status;
  expect([await sendTo("stripe-eu"), await sendTo("stripe-us"), await sendTo("stripe")]).toEqual([
    200, 403, 404,
  ]);
});
