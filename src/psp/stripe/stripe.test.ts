import { randomUUID } from "node:crypto";
import Stripe from "stripe";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freePort } from "../../../test/support/stack.ts";
import { simulatorKey, startTestSimulator, type TestSimulator } from "../../../test/support/simulator.ts";
import { attemptId, operationId } from "../../ids.ts";
import { toCurrencyCode, type Money } from "../../money/money.ts";
import type { InquiryOutcome, PspOutcome } from "../port-outcomes.ts";
import type { ChargeRequest, OperationRequest, Psp } from "../port.ts";
import { createStripe, type StripeOptions } from "./stripe.ts";

let simulator: TestSimulator;
let stripe: Psp;
beforeAll(async () => {
  simulator = await startTestSimulator();
  stripe = openStripe();
});
afterAll(() => simulator.stop());

/** The adapter as the service opens it, but with a short patience. */
const openStripe = (changes: Partial<StripeOptions> = {}): Psp =>
  createStripe({
    name: "stripe",
    secret_key: simulatorKey,
    webhook_secrets: [],
    api_base: simulator.url,
    timeout_ms: 1_000,
    connections_max: 20,
    ...changes,
  });

const price: Money = { amount_minor: 2_999n, currency: toCurrencyCode("USD") };

function request(card_token: string, changes: Partial<ChargeRequest> = {}): ChargeRequest {
  const id = `att_${randomUUID()}`;
  return {
    attempt_id: attemptId(id),
    psp_key: id,
    checkout_id: `checkout-${id}`,
    payment_order_id: `order-${id}`,
    money: price,
    capture_method: "automatic",
    return_url: null,
    card_token,
    ...changes,
  };
}

const inquire = (
  { attempt_id, psp_key, money }: ChargeRequest,
  psp_reference: string | null = null,
): Promise<InquiryOutcome> => stripe.inquire({ attempt_id, psp_key, money, psp_reference, page_token: null });
const charges = (charged: ChargeRequest): Promise<number> =>
  simulator.chargeCount("attempt_id", charged.attempt_id);
const references = [
  { type: "payment_intent", reference: expect.stringMatching(/^pi_/) },
  { type: "charge", reference: expect.stringMatching(/^ch_/) },
];
const paid = { kind: "succeeded", psp_reference: expect.stringMatching(/^pi_/), charged: price, references };

test.each(["tok_visa_4242", "tok_mastercard", "tok_amex", "pm_card_visa"])(
  "%s is paid: the outcome has Stripe's reference and what was charged",
  async (token) => {
    const charge = request(token);
    expect(await stripe.charge(charge)).toEqual(paid);
    expect(await charges(charge)).toBe(1);
  },
);

test.each([
  ["tok_card_declined", "card_declined"],
  ["tok_chargeCustomerFail", "card_declined"],
  ["tok_insufficient_funds", "insufficient_funds"],
  ["tok_chargeDeclinedLostCard", "lost_card"],
  ["tok_chargeDeclinedStolenCard", "stolen_card"],
  ["tok_expired_card", "expired_card"],
  ["tok_invalid_cvv", "invalid_cvv"],
  ["tok_fraud_detected", "fraud_detected"],
  ["tok_radarBlock", "fraud_detected"],
  ["tok_chargeDeclinedVelocityLimitExceeded", "card_velocity_exceeded"],
])("%s is a hard decline with our code %s", async (token, code) => {
  const charge = request(token);
  expect(await stripe.charge(charge)).toEqual({
    kind: "declined",
    psp_reference: expect.stringMatching(/^pi_/),
    failure: { class: "hard_decline", code, message: expect.stringMatching(/^Your card/) },
    references,
  });
  expect(await charges(charge)).toBe(0);
});

test("a processing error is a transient decline", async () => {
  expect(await stripe.charge(request("tok_chargeDeclinedProcessingError"))).toMatchObject({
    kind: "declined",
    failure: { class: "transient_decline", code: "processing_error" },
  });
});

test("a card that asks for authentication is pending, and stays so when asked about", async () => {
  const charge = request("tok_authenticationRequired");
  const outcome = await stripe.charge(charge);
  expect(outcome).toMatchObject({ kind: "pending", next_action: { type: expect.any(String) } });
  expect(await inquire(charge, outcome.kind === "pending" ? outcome.psp_reference : null)).toMatchObject({
    kind: "pending",
  });
  expect(await charges(charge)).toBe(0);
});

test.each([
  ["an unknown token", request("tok_nobody")],
  [
    "a currency it does not take",
    request("tok_visa_4242", { money: { amount_minor: 100n, currency: toCurrencyCode("CUP") } }),
  ],
])("%s is a request that the PSP did not accept", async (_what, charge) => {
  expect(await stripe.charge(charge)).toMatchObject({
    kind: "not_sent",
    failure: { class: "invalid_request" },
  });
});

test("an amount that Stripe cannot take exactly is not sent at all", async () => {
  const charge = request("tok_visa_4242", {
    money: { amount_minor: 1_234n, currency: toCurrencyCode("BHD") },
  });
  expect(await stripe.charge(charge)).toMatchObject({
    kind: "not_sent",
    failure: { class: "invalid_request", code: "amount_not_supported" },
  });
});

test.each([
  [500n, "JPY"],
  [1_230n, "BHD"],
  [5n, "ISK"],
  [300n, "MGA"],
])("%s minor units of %s are charged as that", async (amount_minor, code) => {
  const money: Money = { amount_minor, currency: toCurrencyCode(code) };
  expect(await stripe.charge(request("tok_visa_4242", { money }))).toEqual({ ...paid, charged: money });
});

type Fault = {
  readonly fault: string;
  readonly first: unknown;
  /** What an inquiry by the attempt's id says then. */
  readonly found: string;
  /** The same request under the same key once more. */
  readonly again: string;
  readonly charged: 0 | 1;
};
const unclear = { kind: "unknown", reason: expect.any(String) };
// As the simulator's README tells what each fault does.
const faults: readonly Fault[] = [
  { fault: "timeout_before_charge", first: unclear, found: "not_found", again: "unknown", charged: 0 },
  { fault: "timeout_after_charge", first: unclear, found: "succeeded", again: "succeeded", charged: 1 },
  { fault: "disconnect_before_charge", first: unclear, found: "not_found", again: "unknown", charged: 0 },
  { fault: "disconnect_after_charge", first: unclear, found: "succeeded", again: "succeeded", charged: 1 },
  // A stored 500 tells nothing, also when it is given again.
  { fault: "500_before", first: unclear, found: "not_found", again: "unknown", charged: 0 },
  { fault: "500_after_charge", first: unclear, found: "succeeded", again: "unknown", charged: 1 },
  { fault: "html", first: unclear, found: "not_found", again: "unknown", charged: 0 },
  { fault: "truncated", first: unclear, found: "succeeded", again: "succeeded", charged: 1 },
  { fault: "slow", first: unclear, found: "succeeded", again: "succeeded", charged: 1 },
];

describe.concurrent("faults", () => {
  test.each(faults)(
    "$fault is told as it is: nothing is called failed that was charged, nothing paid that was not",
    async ({ fault, first, found, again, charged }) => {
      const charge = request(`tok_fault_${fault}`);
      expect(await stripe.charge(charge)).toEqual(first);
      expect(await inquire(charge)).toMatchObject({ kind: found });
      expect(await stripe.charge(charge)).toMatchObject({ kind: again });
      expect(await charges(charge)).toBe(charged);
    },
  );

  test("a slow answer within the patience is a success", async () => {
    expect(await openStripe({ timeout_ms: 8_000 }).charge(request("tok_fault_slow"))).toEqual(paid);
  });
});

test("429 was not acted on, and the PSP's Retry-After is passed on", async () => {
  const charge = request("tok_fault_429");
  expect(await stripe.charge(charge)).toMatchObject({
    kind: "not_sent",
    failure: { class: "rate_limited", code: "psp_rate_limited", retry_after_seconds: 1 },
  });
  expect(await charges(charge)).toBe(0);
});

test("a fault of one moment is over for the next attempt, which has a new key", async () => {
  const first = request("tok_fault_once_500");
  expect(await stripe.charge(first)).toMatchObject({ kind: "unknown" });
  expect(
    await stripe.charge({ ...request("tok_fault_once_500"), payment_order_id: first.payment_order_id }),
  ).toEqual(paid);
  const second = request("tok_fault_once_processing_error");
  expect(await stripe.charge(second)).toMatchObject({
    kind: "declined",
    failure: { class: "transient_decline" },
  });
  expect(
    await stripe.charge({
      ...request("tok_fault_once_processing_error"),
      payment_order_id: second.payment_order_id,
    }),
  ).toEqual(paid);
});

test("the same key charges once, one after another and at the same time", async () => {
  const charge = request("tok_visa_4242");
  const outcomes = await Promise.all(Array.from({ length: 8 }, () => stripe.charge(charge)));
  const repeated = await stripe.charge(charge);
  expect(repeated).toEqual(paid);
  expect(outcomes.filter((outcome) => outcome.kind !== "unknown")).not.toHaveLength(0);
  for (const outcome of outcomes)
    expect(outcome.kind === "unknown" ? outcome.retry_after_seconds : outcome).toEqual(
      outcome.kind === "unknown" ? 1 : repeated,
    );
  expect(await charges(charge)).toBe(1);
});

test("an inquiry finds a charge by its reference and by the attempt, and says not found of another", async () => {
  const charge = request("tok_visa_4242");
  const outcome = await stripe.charge(charge);
  expect(await inquire(charge, outcome.kind === "succeeded" ? outcome.psp_reference : null)).toEqual(outcome);
  expect(await inquire(charge)).toEqual(outcome);
  expect(await inquire(request("tok_visa_4242"))).toEqual({ kind: "not_found" });
});

test("a refused API key and a PSP that is not there mean that nothing was sent", async () => {
  const outcomes: PspOutcome[] = [
    await openStripe({ secret_key: "sk_test_wrong" }).charge(request("tok_visa_4242")),
    await openStripe({ api_base: new URL(`http://127.0.0.1:${await freePort()}`) }).charge(
      request("tok_visa_4242"),
    ),
  ];
  expect(outcomes).toMatchObject([
    { kind: "not_sent", failure: { class: "unreachable", code: "psp_key_refused" } },
    { kind: "not_sent", failure: { class: "unreachable", code: "psp_unreachable" } },
  ]);
});

test("an inquiry that does not get through says nothing about the charge", async () => {
  const nowhere = openStripe({ api_base: new URL(`http://127.0.0.1:${await freePort()}`) });
  const { attempt_id, psp_key, money } = request("tok_visa_4242");
  expect(
    await nowhere.inquire({ attempt_id, psp_key, money, psp_reference: null, page_token: null }),
  ).toMatchObject({ kind: "unknown" });
  expect(
    await nowhere.inquire({ attempt_id, psp_key, money, psp_reference: "pi_1", page_token: null }),
  ).toMatchObject({ kind: "unknown" });
});

test("a part that a card's authorisation does not allow is refused for good, also when it is sent again", async () => {
  const address = new URL(simulator.url);
  const sdk = new Stripe(simulatorKey, { host: address.hostname, port: address.port, protocol: "http" });
  const intent = await sdk.paymentIntents.create({
    amount: 2_999,
    currency: "usd",
    capture_method: "manual",
    confirm: true,
    payment_method: "pm_card_visa",
    return_url: "https://shop.example/back",
  });
  const id = `op_${randomUUID()}`;
  const part: OperationRequest = {
    kind: "capture",
    operation_id: operationId(id),
    psp_key: `${id}-1`,
    attempt_id: attemptId("att_1"),
    psp_reference: intent.id,
    page_token: null,
    money: { ...price, amount_minor: 1_000n },
    captured_before_minor: 0n,
    is_final: false,
    turn: "first_send",
  };
  const refused = { kind: "failed", failure: { class: "invalid_request" } };
  expect(await stripe.operate(part)).toMatchObject(refused);
  expect(await stripe.operate({ ...part, turn: "ask_then_send" })).toMatchObject(refused);
  expect(await stripe.operate({ ...part, psp_key: `${id}-2`, is_final: true })).toMatchObject({
    kind: "succeeded",
    charged: { amount_minor: 1_000n },
  });
});
