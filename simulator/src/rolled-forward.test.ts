import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { admin, authorization, shareSimulator, stripeError, summary, tokenCharge, until } from "./testing.ts";

const seconds = 1;
const simulator = shareSimulator({ roll_forward_seconds: seconds });

/** A charge that is answered with a 500; nothing of it is to be seen. */
async function chargeInVain(order: string, idempotencyKey: string): Promise<void> {
  const created = simulator.stripe.paymentIntents.create(
    tokenCharge("tok_fault_500_rolled_forward", { order }),
    { idempotencyKey },
  );
  expect((await stripeError(created)).statusCode).toBe(500);
  expect(await found(order)).toEqual([]);
  expect(
    (await simulator.stripe.paymentIntents.list({ limit: 100 })).data.filter(
      ({ metadata }) => metadata["order"] === order,
    ),
  ).toEqual([]);
}

const found = async (order: string): Promise<string[]> =>
  (await simulator.stripe.paymentIntents.search({ query: `metadata['order']:'${order}'` })).data.map(
    ({ status }) => status,
  );

test("a charge that was answered with a 500 is made later, once, with its events, and its key keeps the 500", async () => {
  const key = randomUUID();
  await chargeInVain("o1", key);
  await until(async () => (await found("o1")).length > 0);
  expect(await found("o1")).toEqual(["succeeded"]);
  const again = simulator.stripe.paymentIntents.create(
    tokenCharge("tok_fault_500_rolled_forward", { order: "o1" }),
    { idempotencyKey: key },
  );
  expect((await stripeError(again)).statusCode).toBe(500);
  expect((await summary(simulator.url)).charges).toBe(1);
  const { data } = await simulator.stripe.events.list({ type: "payment_intent.succeeded" });
  expect(data).toHaveLength(1);
});

test("what came due while the simulator was away is there before it answers", async () => {
  await chargeInVain("o2", randomUUID());
  await simulator.restart({}, seconds * 1_000);
  expect(await found("o2")).toEqual(["succeeded"]);
});

test("a capture is made later too, unless the payment has moved on meanwhile", async () => {
  const received = async (id: string): Promise<number> =>
    (await simulator.stripe.paymentIntents.retrieve(id)).amount_received;
  const [captured, canceled] = [
    await simulator.stripe.paymentIntents.create(authorization()),
    await simulator.stripe.paymentIntents.create(authorization()),
  ];
  await admin(simulator.url, "faults", { next_modifications: [{ fault: "500_rolled_forward", count: 2 }] });
  for (const { id } of [captured, canceled]) {
    expect(
      (await stripeError(simulator.stripe.paymentIntents.capture(id, { amount_to_capture: 1_000 })))
        .statusCode,
    ).toBe(500);
    expect(await received(id)).toBe(0);
  }
  await simulator.stripe.paymentIntents.cancel(canceled.id);
  await until(async () => (await received(captured.id)) === 1_000);
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(await received(canceled.id)).toBe(0);
});
