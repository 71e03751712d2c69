import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";
import { simulatorKey, startTestSimulator, type TestSimulator } from "../../test/support/simulator.ts";
import { ChildProcess } from "../cli/child-process.ts";
import { attemptId } from "../ids.ts";
import { toCurrencyCode } from "../money/money.ts";
import type { PspOutcome } from "./port-outcomes.ts";
import type { ChargeRequest, Psp } from "./port.ts";
import { PspRouter, type RouterOptions } from "./router.ts";
import type { RoutingFacts } from "./routing-rules.ts";
import { createStripe } from "./stripe/stripe.ts";

/** Two accounts at two PSPs that are processes of their own; the European one can be killed. */
let db: TestDatabase;
let european: ChildProcess;
let europeanUrl: URL;
let american: TestSimulator;
beforeAll(async () => {
  db = await createTestDatabase();
  european = new ChildProcess({
    name: "simulator",
    script: join(import.meta.dirname, "../../simulator/src/main.ts"),
    arguments: [],
    ready_event: "simulator_ready",
    environment: {
      SIMULATOR_DATABASE_URL: `${db.url}_simulator`,
      SIMULATOR_PORT: "0",
      SIMULATOR_SECRET_KEY: simulatorKey,
    },
  });
  const [url, other] = await Promise.all([european.start(), startTestSimulator()]);
  europeanUrl = new URL(url);
  american = other;
});
afterAll(async () => {
  await Promise.all([european.stop(), american.stop()]);
  await db.drop();
});
beforeEach(async () => {
  if (!european.is_running) await european.start({ SIMULATOR_PORT: europeanUrl.port });
});

const open_seconds = 0.5;

function account(name: "eu" | "us"): Psp {
  const api_base = name === "eu" ? europeanUrl : american.url;
  return createStripe({
    name,
    secret_key: simulatorKey,
    webhook_secrets: [],
    api_base,
    timeout_ms: 1_000,
    connections_max: 20,
  });
}

/**
 * Europe's currency goes to Europe, three quarters of all others to America; each stands in for the other.
 */
const openRouter = (options: Partial<RouterOptions> = {}): PspRouter =>
  new PspRouter([account("eu"), account("us")], {
    failures_in_a_row: 3,
    open_seconds,
    rules: [
      { when: { currencies: ["EUR"] }, to: [{ psp: "eu", weight: 1 }] },
      {
        when: {},
        to: [
          { psp: "us", weight: 3 },
          { psp: "eu", weight: 1 },
        ],
      },
    ],
    ...options,
  });

const facts = (payment_order_id: string, currency = "USD"): RoutingFacts => ({
  payment_order_id,
  money: { amount_minor: 1_999n, currency: toCurrencyCode(currency) },
  card_country: null,
});

function request(order: RoutingFacts, card_token = "tok_visa_4242"): ChargeRequest {
  const id = `att_${randomUUID()}`;
  const { payment_order_id, money } = order;
  return {
    attempt_id: attemptId(id),
    psp_key: id,
    checkout_id: "c",
    payment_order_id,
    money,
    card_token,
    capture_method: "automatic",
    return_url: null,
  };
}

/** Charges new orders one after the other, each where the router says. */
async function chargeOrders(router: PspRouter, ids: readonly string[], currency: string): Promise<string[]> {
  const results: string[] = [];
  for (const id of ids) {
    const order = facts(id, currency);
    const psp = router.choose(order);
    results.push(`${psp} ${shortOf(await router.charge(psp, request(order)))}`);
  }
  return results;
}
const shortOf = (outcome: PspOutcome): string =>
  outcome.kind === "not_sent" ? outcome.failure.code : outcome.kind;
const orderIds = (count: number): string[] => Array.from({ length: count }, () => randomUUID());
const chargedAt = async (url: URL, payment_order_id: string): Promise<unknown> =>
  (
    (await (
      await fetch(new URL(`/_simulator/effects?payment_order_id=${payment_order_id}`, url))
    ).json()) as { count: unknown }
  ).count;

test("each order is charged at the PSP that the rules say: by currency, else shared by weight", async () => {
  const router = openRouter();
  expect(new Set(await chargeOrders(router, orderIds(10), "EUR"))).toEqual(new Set(["eu succeeded"]));
  const ids = orderIds(60);
  const results = await chargeOrders(router, ids, "USD");
  const there = results.filter((result) => result === "us succeeded").length;
  expect(there + results.filter((result) => result === "eu succeeded").length).toBe(60);
  // 45 are expected; six standard deviations are 20.
  expect(there).toBeGreaterThan(25);
  expect(there).toBeLessThan(60);
  for (const [index, id] of ids.entries()) {
    const isThere = results[index] === "us succeeded";
    expect([await chargedAt(american.url, id), await chargedAt(europeanUrl, id)]).toEqual(
      isThere ? [1, 0] : [0, 1],
    );
  }
});

test("a PSP that dies is left out of new choices once its breaker is open; later one order tries it again, and when it is back it has its share", async () => {
  const router = openRouter();
  await european.kill();
  expect(await chargeOrders(router, orderIds(5), "EUR")).toEqual([
    ...Array<string>(3).fill("eu psp_unreachable"),
    ...Array<string>(2).fill("us succeeded"),
  ]);
  expect([router.callsAllowedFor("eu"), router.callsAllowedFor("us"), router.callsAllowed()]).toEqual([
    0,
    Number.POSITIVE_INFINITY,
    Number.POSITIVE_INFINITY,
  ]);

  await sleep(open_seconds * 1_000 + 50);
  expect(await chargeOrders(router, orderIds(4), "EUR")).toEqual([
    "eu psp_unreachable",
    ...Array<string>(3).fill("us succeeded"),
  ]);

  await european.start({ SIMULATOR_PORT: europeanUrl.port });
  await sleep(open_seconds * 1_000 + 50);
  expect(await chargeOrders(router, orderIds(4), "EUR")).toEqual(Array<string>(4).fill("eu succeeded"));
});

test("of many choices at once in a trial's time one is for the PSP that was away, and of many calls at once one gets through", async () => {
  const router = openRouter();
  await european.kill();
  await chargeOrders(router, orderIds(3), "EUR");
  await european.start({ SIMULATOR_PORT: europeanUrl.port });
  await sleep(open_seconds * 1_000 + 50);
  const orders = orderIds(20).map((id) => facts(id, "EUR"));
  expect(orders.map((order) => router.choose(order)).filter((psp) => psp === "eu")).toHaveLength(1);

  const outcomes = await Promise.all(orders.map((order) => router.charge("eu", request(order))));
  expect(outcomes.map(shortOf).toSorted()).toEqual([
    ...Array<string>(19).fill("psp_unavailable"),
    "succeeded",
  ]);
  expect(outcomes.find((outcome) => outcome.kind === "not_sent")?.failure).toMatchObject({
    class: "unreachable",
    retry_after_seconds: 1,
  });
  const charged = await Promise.all(orders.map((order) => chargedAt(europeanUrl, order.payment_order_id)));
  expect(charged.filter((count) => count === 1)).toHaveLength(1);
  expect(await chargeOrders(router, orderIds(2), "EUR")).toEqual(["eu succeeded", "eu succeeded"]);
});

test("where an earlier attempt surely did nothing is tried again only when nothing else is left, and not while its breaker is open", async () => {
  const router = openRouter();
  const order = facts(randomUUID(), "EUR");
  expect(
    [[], ["eu"], ["us"], ["eu", "us"], ["somewhere-else"]].map((tried) => router.choose(order, tried)),
  ).toEqual(["eu", "us", "eu", "eu", "eu"]);
  await european.kill();
  await chargeOrders(router, orderIds(3), "EUR");
  expect([[], ["us"], ["eu", "us"]].map((tried) => router.choose(order, tried))).toEqual(["us", "us", "us"]);
});

test("an order never goes where no rule allows it, and to the first PSP when no rule fits", async () => {
  const router = openRouter({
    rules: [
      { when: { currencies: ["EUR"] }, to: [{ psp: "eu", weight: 1 }] },
      { when: { currencies: ["USD"] }, to: [{ psp: "us", weight: 1 }] },
    ],
  });
  await european.kill();
  await chargeOrders(router, orderIds(3), "EUR");
  expect(router.callsAllowedFor("eu")).toBe(0);
  const order = facts(randomUUID(), "EUR");
  expect([router.choose(order), router.choose(order, ["eu"])]).toEqual(["eu", "eu"]);
  expect([
    router.choose(facts("o", "JPY")),
    router.choose(facts("o", "JPY"), ["eu"]),
    router.choose(facts("o")),
  ]).toEqual(["eu", "eu", "us"]);
});

test("while the PSPs that can be chosen are away nothing new makes sense, however well another one is", async () => {
  const router = openRouter({ rules: [] });
  await european.kill();
  await chargeOrders(router, orderIds(3), "USD");
  expect([router.callsAllowed(), router.callsAllowedFor("us")]).toEqual([0, Number.POSITIVE_INFINITY]);
});

test("one slow PSP cannot take more places than its own: further calls are not sent, and another PSP answers at once", async () => {
  const router = openRouter({ calls_at_once_max: new Map([["eu", 2]]) });
  const slow = orderIds(5).map((id) => facts(id, "EUR"));
  const calls = slow.map((order) => router.charge("eu", request(order, "tok_fault_timeout_before_charge")));
  expect([router.placesFreeFor("eu"), router.placesFreeFor("us")]).toEqual([0, Number.POSITIVE_INFINITY]);
  const inquiry = { ...request(facts("o")), psp_reference: null, page_token: null };
  expect(await router.inquire("eu", inquiry)).toMatchObject({ kind: "unknown", retry_after_seconds: 1 });
  expect(await router.charge("us", request(facts(randomUUID())))).toMatchObject({ kind: "succeeded" });

  const outcomes = await Promise.all(calls);
  const busy = {
    kind: "not_sent",
    failure: { class: "unreachable", code: "psp_busy", message: expect.any(String), retry_after_seconds: 1 },
  };
  expect(outcomes.slice(2)).toEqual([busy, busy, busy]);
  expect(outcomes.slice(0, 2).map(shortOf)).toEqual(["unknown", "unknown"]);
  // Calls that found no place are no failures of the PSP: two timeouts do not open its breaker.
  expect([router.placesFreeFor("eu"), router.callsAllowedFor("eu")]).toEqual([2, Number.POSITIVE_INFINITY]);
  expect(await router.charge("eu", request(facts(randomUUID(), "EUR")))).toMatchObject({ kind: "succeeded" });
});

test("a rule that names a PSP that is not configured stops the start", () => {
  expect(() => openRouter({ rules: [{ when: {}, to: [{ psp: "asia", weight: 1 }] }] })).toThrow(
    "no PSP named asia",
  );
});
