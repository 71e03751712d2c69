import { AssertionError } from "node:assert";
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";
import { simulatorKey, startTestSimulator, type TestSimulator } from "../../test/support/simulator.ts";
import { attemptId } from "../ids.ts";
import { breakerOpen } from "../metrics.ts";
import { toCurrencyCode } from "../money/money.ts";
import type { PspOutcome } from "./port-outcomes.ts";
import type { ChargeRequest } from "./port.ts";
import { PspRouter } from "./router.ts";
import { createStripe } from "./stripe/stripe.ts";

let simulator: TestSimulator;
let db: TestDatabase;
beforeAll(async () => {
  [simulator, db] = await Promise.all([startTestSimulator(), createTestDatabase()]);
});
afterAll(() => Promise.all([simulator.stop(), db.drop()]));

const open_seconds = 0.5;

/** A router to the simulator whose breaker opens after three failures in a row, for half a second. */
const openRouter = (name: string): PspRouter =>
  new PspRouter(
    [
      createStripe({
        name,
        secret_key: simulatorKey,
        webhook_secrets: [],
        api_base: simulator.url,
        timeout_ms: 1_000,
        connections_max: 10,
      }),
    ],
    { failures_in_a_row: 3, open_seconds },
  );

function request(card_token = "tok_visa_4242"): ChargeRequest {
  const id = `att_${randomUUID()}`;
  return {
    attempt_id: attemptId(id),
    psp_key: id,
    checkout_id: "c",
    payment_order_id: "o",
    money: { amount_minor: 100n, currency: toCurrencyCode("USD") },
    capture_method: "automatic",
    return_url: null,
    card_token,
  };
}

const chargeAll = async (router: PspRouter, psp: string, tokens: readonly string[]): Promise<string[]> => {
  const kinds: string[] = [];
  for (const token of tokens) kinds.push(shortOf(await router.charge(psp, request(token))));
  return kinds;
};
const shortOf = (outcome: PspOutcome): string =>
  outcome.kind === "not_sent" ? outcome.failure.code : outcome.kind;
const isOpen = async (psp: string): Promise<unknown> =>
  (await breakerOpen.get()).values.find((value) => value.labels.psp === psp)?.value;
const failing = "tok_fault_500_before";
const paying = "tok_visa_4242";

test("a PSP is not called inside a database transaction, by charge or inquiry, however deep", async () => {
  const router = openRouter("guarded");
  const charge = request();
  const deep = async (): Promise<unknown> => {
    await sleep(1);
    return router.charge("guarded", charge);
  };
  await expect(db.database.transaction(() => deep())).rejects.toThrow(AssertionError);
  await expect(
    db.database.transaction((tx) =>
      tx
        .query("select 1")
        .then(() => router.inquire("guarded", { ...charge, psp_reference: null, page_token: null })),
    ),
  ).rejects.toThrow("inside a database transaction");
  expect(await simulator.chargeCount("attempt_id", charge.attempt_id)).toBe(0);
  expect(await router.charge("guarded", charge)).toMatchObject({ kind: "succeeded" });
});

test("it knows its PSPs by name and chooses the first", async () => {
  const router = openRouter("stripe");
  expect([
    router.choose({
      payment_order_id: "o",
      money: { amount_minor: 100n, currency: toCurrencyCode("USD") },
      card_country: null,
    }),
    router.has("stripe"),
    router.has("adyen"),
    router.get("stripe").name,
  ]).toEqual(["stripe", true, false, "stripe"]);
  expect(() => router.get("adyen")).toThrow("no PSP named adyen");
  await expect(router.charge("adyen", request())).rejects.toThrow("no PSP named adyen");
});

test("after failures in a row calls are held back without reaching the PSP, and a success in the trial lets all through again", async () => {
  const router = openRouter("recovering");
  expect(await chargeAll(router, "recovering", [failing, failing, failing])).toEqual([
    "unknown",
    "unknown",
    "unknown",
  ]);
  expect(await isOpen("recovering")).toBe(1);
  const held = request();
  expect(await router.charge("recovering", held)).toEqual({
    kind: "not_sent",
    failure: {
      class: "unreachable",
      code: "psp_unavailable",
      message: expect.any(String),
      retry_after_seconds: expect.closeTo(open_seconds, 1),
    },
  });
  expect(
    await router.inquire("recovering", { ...held, psp_reference: null, page_token: null }),
  ).toMatchObject({ kind: "unknown", retry_after_seconds: expect.closeTo(open_seconds, 1) });
  expect(await simulator.chargeCount("attempt_id", held.attempt_id)).toBe(0);
  await sleep(open_seconds * 1_000 + 50);
  expect(await chargeAll(router, "recovering", [paying, paying])).toEqual(["succeeded", "succeeded"]);
  expect(await isOpen("recovering")).toBe(0);
});

test("a failed trial holds calls back for as long again", async () => {
  const router = openRouter("failing");
  await chargeAll(router, "failing", [failing, failing, failing]);
  await sleep(open_seconds * 1_000 + 50);
  expect(await chargeAll(router, "failing", [failing, paying])).toEqual(["unknown", "psp_unavailable"]);
  await sleep(open_seconds * 1_000 + 50);
  expect(await chargeAll(router, "failing", [paying])).toEqual(["succeeded"]);
});

test("declines, refused requests and rate limits are clear answers: they do not open the breaker, and they end a row of failures", async () => {
  const router = openRouter("answering");
  const clear = ["tok_card_declined", "tok_nobody", "tok_fault_429", "tok_card_declined"];
  expect(
    await chargeAll(router, "answering", [
      ...clear,
      failing,
      failing,
      "tok_card_declined",
      failing,
      failing,
      paying,
    ]),
  ).toEqual([
    "declined",
    "resource_missing",
    "psp_rate_limited",
    "declined",
    "unknown",
    "unknown",
    "declined",
    "unknown",
    "unknown",
    "succeeded",
  ]);
});

test("the breaker of one PSP holds back no other", async () => {
  const options = {
    secret_key: simulatorKey,
    webhook_secrets: [],
    api_base: simulator.url,
    timeout_ms: 1_000,
    connections_max: 10,
  };
  const router = new PspRouter(
    [createStripe({ ...options, name: "first" }), createStripe({ ...options, name: "second" })],
    { failures_in_a_row: 3, open_seconds },
  );
  await chargeAll(router, "first", [failing, failing, failing]);
  expect([await chargeAll(router, "first", [paying]), await chargeAll(router, "second", [paying])]).toEqual([
    ["psp_unavailable"],
    ["succeeded"],
  ]);
});
