import { createHmac, randomBytes } from "node:crypto";
import Stripe from "stripe";
import { afterAll, beforeAll, expect, test } from "vitest";
import { simulatorKey } from "../support/simulator.ts";
import { freePort, startTestStack, type TestStack } from "../support/stack.ts";
import { acceptCheckout, orderIn, postBytes, until, type SentCheckout } from "./requests.ts";

const secret = `whsec_${randomBytes(24).toString("base64")}`;
let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack({
    environment: {
      PSP_STRIPE_WEBHOOK_SECRET: secret,
      PSP_BREAKER_FAILURES: "1",
      PSP_BREAKER_OPEN_SECONDS: "60",
    },
  });
});
afterAll(() => stack.stopAll());

/** What the PSP tells of one payment on its page: a card that failed, then one that paid. */
const told = [
  "charge.failed",
  "payment_intent.payment_failed",
  "charge.succeeded",
  "payment_intent.succeeded",
  "checkout.session.completed",
];

const openPage = (): Promise<SentCheckout> =>
  acceptCheckout(
    stack,
    { credit_card_info: undefined, hosted_page: { return_url: "https://shop.example/" } },
    [{ amount: "7.00" }, { amount: "3.00", seller_account: "seller_charlie" }],
  );

async function payOnPage({ reply }: SentCheckout): Promise<void> {
  for (const number of ["4000000000000002", "4242424242424242"]) {
    const answer = await fetch(String(reply.json["hosted_page_url"]), {
      method: "POST",
      redirect: "manual",
      body: new URLSearchParams({ number, expiry: "12/34", cvc: "123", name: "Alice" }),
    });
    await answer.text();
  }
}

/** The five events of each checkout, in the order of `told`. */
async function eventsByCheckout(): Promise<ReadonlyMap<string, readonly string[]>> {
  const { port } = new URL(stack.simulator_url);
  const stripe = new Stripe(simulatorKey, { host: "127.0.0.1", port, protocol: "http", telemetry: false });
  const events: { checkout_id: string; type: string; body: string }[] = [];
  for await (const event of stripe.events.list({ limit: 100 })) {
    const { metadata } = event.data.object as { metadata?: Record<string, string> | null };
    if (told.includes(event.type))
      events.push({
        checkout_id: metadata?.["checkout_id"] ?? "",
        type: event.type,
        body: JSON.stringify(event),
      });
  }
  const byCheckout = Map.groupBy(events, (event) => event.checkout_id);
  return new Map(
    [...byCheckout].map(([id, own]) => [
      id,
      told.map((type) => own.find((event) => event.type === type)?.body ?? ""),
    ]),
  );
}

/** Every order of some things: 120 of five. */
function permutations<Thing>(things: readonly Thing[]): Thing[][] {
  if (things.length <= 1) return [[...things]];
  return things.flatMap((first, index) =>
    permutations(things.toSpliced(index, 1)).map((rest) => [first, ...rest]),
  );
}

async function deliver(body: string): Promise<void> {
  const time = Math.floor(Date.now() / 1_000);
  const signature = `t=${time},v1=${createHmac("sha256", secret).update(`${time}.${body}`).digest("hex")}`;
  const reply = await postBytes(stack, "/api/v1/webhooks/stripe", body, {
    authorization: "",
    "content-type": "application/json",
    "stripe-signature": signature,
  });
  expect(reply.status).toBe(200);
}

test("a payment's five webhooks lead to the same state in each of their 120 orders, once, twice and at once", async () => {
  const orders = permutations(told);
  const pages = await Promise.all(orders.map(openPage));
  // From here on the service cannot reach the PSP: only the webhooks can tell how it ended.
  await stack.service.stop();
  await stack.restartService({ PSP_STRIPE_API_BASE: `http://127.0.0.1:${await freePort()}` });
  await Promise.all(pages.map(payOnPage));
  const events = await eventsByCheckout();

  await Promise.all(
    pages.map(async ({ checkout_id }, index) => {
      const order = orders[index] ?? [];
      const bodies = (index % 2 === 0 ? order : [...order, ...order.toReversed()]).map(
        (type) => events.get(checkout_id)?.[told.indexOf(type)] ?? "",
      );
      expect(bodies).not.toContain("");
      if (index % 3 === 0) await Promise.all(bodies.map(deliver));
      else for (const body of bodies) await deliver(body);
    }),
  );

  for (const { order_ids } of pages) {
    for (const id of order_ids) {
      const order = await orderIn(stack, id, "SUCCESS");
      expect(order).toMatchObject({ error_code: null, attempts: [{ status: "succeeded" }] });
      expect(order.transitions.filter((transition) => transition.to_status === "SUCCESS")).toMatchObject([
        { actor: "webhook:stripe" },
      ]);
    }
  }
  const [posted] = await stack.db.asOwner("select count(*)::int as count from ledger_transactions");
  expect(posted).toEqual({ count: 2 * orders.length });
  await until(
    "every message is applied or known to say nothing",
    async () =>
      (await stack.db.asOwner("select 1 from webhook_inbox where state not in ('applied', 'ignored')"))
        .length === 0,
  );
  expect((await stack.call("GET", "/dead_letters")).json["data"]).toEqual([]);
}, 120_000);
