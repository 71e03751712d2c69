/** What PSPs write, and what a person copies from them, never keeps money from being recorded. */
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { verifyPayments } from "../../src/payments/payments.ts";
import { acceptCheckout, card, orderIn, until } from "../api/requests.ts";
import { sendStripe, stripeEvent, stripeSignature, type EventChanges } from "../api/stripe-events.ts";
import { startTestStack, type Reply, type TestStack } from "../support/stack.ts";

const secret = `whsec_${randomBytes(24).toString("base64")}`;
let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack({
    environment: {
      PSP_STRIPE_WEBHOOK_SECRET: secret,
      PSP_TIMEOUT_SECONDS: "0.5",
      JOB_LEASE_SECONDS: "3",
      PSP_BREAKER_FAILURES: "1000",
    },
  });
});
afterAll(async () => {
  try {
    expect((await verifyPayments(stack.db.database)).flatMap((check) => check.faults)).toEqual([]);
  } finally {
    await stack.stopAll();
  }
});

type Undecided = { readonly id: string; readonly attempt_id: string };

async function undecided(): Promise<Undecided> {
  const {
    order_ids: [id],
  } = await acceptCheckout(stack, card("tok_fault_timeout_before_charge"), [{ amount: "29.99" }]);
  const { attempts } = await orderIn(stack, id, "UNKNOWN");
  return { id, attempt_id: attempts[0]?.attempt_id ?? "" };
}

async function tell({ attempt_id, id }: Undecided, changes: EventChanges): Promise<void> {
  const event = stripeEvent({ attempt_id, payment_order_id: id, amount: 2_999 }, changes);
  const reply = await sendStripe(stack, event, { "stripe-signature": stripeSignature(event, secret) });
  expect(reply, reply.text).toMatchObject({ status: 200 });
}

const lettersOf = (...ids: readonly string[]): Promise<Record<string, unknown>[]> =>
  stack.db.asOwner("select kind, reason from dead_letters where subject_id = any ($1)", [ids]);

test.each([
  ["a code of 65 characters", { decline_code: "c".repeat(65), message: "No." }, "c".repeat(64), "No."],
  ["an empty code", { decline_code: "", message: "No." }, "hard_decline", "No."],
  [
    "NUL and half a character",
    { decline_code: "a\0b\ud800", message: "No\0\ud800." },
    "a\uFFFDb\uFFFD",
    "No\uFFFD\uFFFD.",
  ],
])("a decline whose reason has %s is recorded", async (_what, last_payment_error, code, message) => {
  const one = await undecided();
  const intent = { status: "requires_payment_method", last_payment_error };
  await tell(one, { type: "payment_intent.payment_failed", intent });
  const order = await orderIn(stack, one.id, "FAILED", "PENDING");
  expect(order).toMatchObject({ error_code: code, error_message: message });
});

test.each([
  ["300 characters", `pi_${"x".repeat(297)}`],
  ["NUL", "pi_\0x"],
  ["half a character", "pi_\ud800"],
])("a payment under an id of %s is told to a person at once", async (_what, id) => {
  const one = await undecided();
  await tell(one, { intent: { id } });
  await until("a dead letter waits", async () => (await lettersOf(one.id)).length > 0);
  const reason =
    "The PSP reports succeeded under an id that cannot be stored: look there for our id of the attempt.";
  expect(await lettersOf(one.id)).toEqual([{ kind: "work", reason }]);
  expect(await orderIn(stack, one.id, "UNKNOWN")).toMatchObject({ attempts: [{ status: "unknown" }] });
});

describe("an id that reads like a card number", () => {
  test.each([
    ["a charge's", ["ch_4242424242424242", "ch_4000056655665556"], (id: string) => ({ latest_charge: id })],
    [
      "an expanded charge's",
      ["ch_5555555555554444", "ch_5200828282828210"],
      (id: string) => ({ latest_charge: { id } }),
    ],
    [
      "a balance transaction's",
      ["txn_4242424242424242", "txn_4000056655665556"],
      (id: string) => ({ latest_charge: { id: `ch_with_${id.slice(-1)}`, balance_transaction: id } }),
    ],
  ])("is kept: %s", async (_what, ids, intentWith) => {
    const orders = [await undecided(), await undecided()];
    for (const [index, order] of orders.entries()) {
      await tell(order, { intent: { ...intentWith(ids[index] ?? "") } });
      await orderIn(stack, order.id, "SUCCESS");
    }
    const stored = await stack.db.asOwner(
      "select reference, subject_id from psp_references where reference = any ($1) order by reference desc",
      [ids],
    );
    expect(stored).toEqual(
      orders.map(({ attempt_id }, index) => ({ reference: ids[index], subject_id: attempt_id })),
    );
    expect(await lettersOf(...orders.map(({ id }) => id))).toEqual([]);
  });
});

test("an id that a person gives with a failed attempt by mistake still resolves the attempt that it is of", async () => {
  const [one, other] = [await undecided(), await undecided()];
  const resolve = ({ attempt_id }: Undecided, seen: Record<string, unknown>): Promise<Reply> =>
    stack.call("POST", `/attempts/${attempt_id}/resolve`, {
      psp_reference: "pi_mistaken",
      note: "Seen.",
      ...seen,
    });
  expect(await resolve(one, { outcome: "failed" })).toMatchObject({ status: 202 });
  await orderIn(stack, one.id, "FAILED");
  const reply = await resolve(other, { outcome: "succeeded", amount: "29.99", currency: "USD" });
  expect(reply, reply.text).toMatchObject({ status: 202 });
  await orderIn(stack, other.id, "SUCCESS");
  expect(await lettersOf(one.id, other.id)).toEqual([]);
});
