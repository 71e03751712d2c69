import type Stripe from "stripe";
import { expect, test } from "vitest";
import { receiver } from "./testing-receiver.ts";
import {
  admin,
  createTestDatabase,
  sdk,
  session,
  shareSimulator,
  spawnForTest,
  startForTest,
  stripeError,
  submitCard,
  until,
} from "./testing.ts";

const simulator = shareSimulator({ session_seconds_min: 1 });
const now = (): number => Math.floor(Date.now() / 1_000);

async function eventTypes(): Promise<string[]> {
  return (await simulator.stripe.events.list({ limit: 100 })).data.map(({ type }) => type).toReversed();
}

test("a new session is open, unpaid, has its page's address and no intent, and is found again", async () => {
  const made = await simulator.stripe.checkout.sessions.create(
    session({
      client_reference_id: "checkout-1",
      metadata: { checkout_id: "c1" },
      customer_email: "buyer@shop.example",
    }),
  );
  expect(made).toMatchObject({
    object: "checkout.session",
    mode: "payment",
    status: "open",
    payment_status: "unpaid",
    payment_intent: null,
    amount_subtotal: 4_000,
    amount_total: 4_000,
    currency: "usd",
    client_reference_id: "checkout-1",
    metadata: { checkout_id: "c1" },
    customer_email: "buyer@shop.example",
    ui_mode: "hosted_page",
    url: `${simulator.url}/c/pay/${made.id}`,
    expires_at: made.created + 86_400,
    payment_method_types: ["card"],
  });
  expect(made.id).toMatch(/^cs_test_/);
  expect(made.line_items).toBeUndefined();
  const { lastResponse: _, ...plain } = await simulator.stripe.checkout.sessions.retrieve(made.id);
  expect(made).toMatchObject(plain);
  expect(await eventTypes()).toEqual([]);
});

test("the same idempotency key gives the same session, other parameters under it are refused", async () => {
  const key = { idempotencyKey: "nonce-1" };
  const first = await simulator.stripe.checkout.sessions.create(session(), key);
  const again = await simulator.stripe.checkout.sessions.create(session(), key);
  expect(again).toMatchObject({ id: first.id, url: first.url });
  const other = await stripeError(
    simulator.stripe.checkout.sessions.create(session({ client_reference_id: "x" }), key),
  );
  expect(other).toMatchObject({ statusCode: 400, rawType: "idempotency_error" });
  expect((await simulator.stripe.checkout.sessions.list()).data).toHaveLength(1);
});

test("a session lives 30 minutes at least, unless a setting says otherwise", async () => {
  const strict = await startForTest(simulator.database_url);
  try {
    const error = await stripeError(
      sdk(strict.url).checkout.sessions.create(session({ expires_at: now() + 1_700 })),
    );
    expect(error.message).toBe(
      "The `expires_at` timestamp must be at least 30 minutes from Checkout Session creation.",
    );
    const made = await sdk(strict.url).checkout.sessions.create(session({ expires_at: now() + 1_810 }));
    expect(made.status).toBe("open");
  } finally {
    await strict.close();
  }
});

test("a card paid on the page completes the session, with one charge that carries the intent's metadata", async () => {
  const made = await simulator.stripe.checkout.sessions.create(
    session({
      metadata: { of: "session" },
      payment_intent_data: { metadata: { attempt_id: "a1", checkout_id: "c1" }, description: "Order" },
    }),
  );
  const answer = await submitCard(made.url);
  expect(answer.status).toBe(303);
  expect(answer.headers.get("location")).toBe(`https://shop.example/done?session=${made.id}`);
  const paid = await simulator.stripe.checkout.sessions.retrieve(made.id, {
    expand: ["payment_intent", "payment_intent.latest_charge"],
  });
  expect(paid).toMatchObject({
    status: "complete",
    payment_status: "paid",
    url: null,
    metadata: { of: "session" },
    customer_details: { name: "Test Buyer" },
    payment_intent: {
      status: "succeeded",
      amount_received: 4_000,
      metadata: { attempt_id: "a1", checkout_id: "c1" },
      description: "Order",
      latest_charge: { status: "succeeded", metadata: { attempt_id: "a1" } },
    },
  });
  expect(await admin(simulator.url, "effects?attempt_id=a1")).toMatchObject({
    count: 1,
    amount_by_currency: { usd: 4_000 },
    data: [{ metadata: { attempt_id: "a1", checkout_id: "c1" } }],
  });
  expect(await eventTypes()).toEqual([
    "payment_intent.created",
    "charge.succeeded",
    "payment_intent.succeeded",
    "checkout.session.completed",
  ]);
  const [event] = (await simulator.stripe.events.list({ type: "checkout.session.completed" })).data;
  expect(event).toMatchObject({
    data: { object: { id: made.id, status: "complete", payment_status: "paid" } },
    request: { id: null, idempotency_key: null },
  });
});

test("sessions are listed by status and by intent", async () => {
  const [open, paid] = [
    await simulator.stripe.checkout.sessions.create(session()),
    await simulator.stripe.checkout.sessions.create(session()),
  ];
  await submitCard(paid.url);
  const ids = async (filter: Stripe.Checkout.SessionListParams): Promise<string[]> =>
    (await simulator.stripe.checkout.sessions.list(filter)).data.map(({ id }) => id);
  expect(await ids({})).toEqual([paid.id, open.id]);
  expect(await ids({ status: "open" })).toEqual([open.id]);
  const { payment_intent } = await simulator.stripe.checkout.sessions.retrieve(paid.id);
  expect(await ids({ payment_intent: String(payment_intent) })).toEqual([paid.id]);
  expect(await ids({ limit: 1, starting_after: paid.id })).toEqual([open.id]);
});

test("an open session can be expired once; nothing can be paid on it then, and a begun intent ends with it", async () => {
  const made = await simulator.stripe.checkout.sessions.create(session());
  expect((await submitCard(made.url, { number: "4000000000000002" })).status).toBe(402);
  const expired = await simulator.stripe.checkout.sessions.expire(made.id, { expand: ["payment_intent"] });
  expect(expired).toMatchObject({
    status: "expired",
    payment_status: "unpaid",
    url: null,
    payment_intent: { status: "canceled", cancellation_reason: "expired" },
  });
  expect((await submitCard(made.url)).status).toBe(410);
  expect(await stripeError(simulator.stripe.checkout.sessions.expire(made.id))).toMatchObject({
    statusCode: 400,
    message:
      'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session has a status of `expired`.',
  });
  expect(await admin(simulator.url, "effects")).toMatchObject({ count: 0 });
  expect(await eventTypes()).toEqual([
    "payment_intent.created",
    "charge.failed",
    "payment_intent.payment_failed",
    "payment_intent.canceled",
    "checkout.session.expired",
  ]);
});

test("a paid session cannot be expired", async () => {
  const made = await simulator.stripe.checkout.sessions.create(session());
  await submitCard(made.url);
  expect(await stripeError(simulator.stripe.checkout.sessions.expire(made.id))).toMatchObject({
    statusCode: 400,
  });
  expect(await simulator.stripe.checkout.sessions.retrieve(made.id)).toMatchObject({
    status: "complete",
    payment_status: "paid",
  });
});

test("the intent of a page can be neither confirmed nor canceled by the API", async () => {
  const made = await simulator.stripe.checkout.sessions.create(session());
  await submitCard(made.url, { number: "4000000000000002" });
  const intent = String((await simulator.stripe.checkout.sessions.retrieve(made.id)).payment_intent);
  expect(await stripeError(simulator.stripe.paymentIntents.cancel(intent))).toMatchObject({
    statusCode: 400,
  });
  const confirmation = simulator.stripe.paymentIntents.confirm(intent, { payment_method: "pm_card_visa" });
  expect(await stripeError(confirmation)).toMatchObject({ statusCode: 400 });
  expect(await admin(simulator.url, "effects")).toMatchObject({ count: 0 });
});

test("pay and expire at the same moment: the session ends paid or expired, and is charged only if paid", async () => {
  for (let round = 0; round < 5; round += 1) {
    const made = await simulator.stripe.checkout.sessions.create(
      session({ payment_intent_data: { metadata: { attempt_id: `r${round}` } } }),
    );
    await Promise.allSettled([
      submitCard(made.url),
      simulator.stripe.checkout.sessions.expire(made.id),
      submitCard(made.url),
      submitCard(made.url),
    ]);
    const { status } = await simulator.stripe.checkout.sessions.retrieve(made.id);
    expect(["complete", "expired"]).toContain(status);
    expect(await admin(simulator.url, `effects?attempt_id=r${round}`)).toMatchObject({
      count: status === "complete" ? 1 : 0,
    });
  }
});

test("at its time a session expires by itself and its webhook is sent", async () => {
  const hooks = await receiver();
  await simulator.stripe.webhookEndpoints.create({
    url: hooks.url,
    enabled_events: ["checkout.session.expired"],
  });
  const made = await simulator.stripe.checkout.sessions.create(session({ expires_at: now() + 2 }));
  await until(() => hooks.received.length > 0);
  expect(now()).toBeGreaterThanOrEqual(made.expires_at);
  const event: Stripe.Event = JSON.parse(hooks.received[0]?.body ?? "");
  expect(event).toMatchObject({
    type: "checkout.session.expired",
    data: { object: { id: made.id, status: "expired" } },
  });
  expect(await simulator.stripe.checkout.sessions.retrieve(made.id)).toMatchObject({ status: "expired" });
  await hooks.close();
});

test("a session whose time comes while no simulator runs expires at the next start", async () => {
  const other = await createTestDatabase();
  const env = { SIMULATOR_SESSION_SECONDS_MIN: "1" };
  const first = await spawnForTest(other.url, env);
  const made = await sdk(first.url).checkout.sessions.create(session({ expires_at: now() + 2 }));
  first.process.kill("SIGKILL");
  await new Promise((resolve) => setTimeout(resolve, 2_100));
  const second = await spawnForTest(other.url, env);
  try {
    const again = sdk(second.url);
    await until(async () => (await again.checkout.sessions.retrieve(made.id)).status === "expired");
    expect((await again.events.list()).data.map(({ type }) => type)).toEqual(["checkout.session.expired"]);
  } finally {
    second.process.kill("SIGTERM");
    await other.drop();
  }
});
