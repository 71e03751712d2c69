import { Type } from "typebox";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { verifyBooks } from "../../src/cli/verify.ts";
import { idIn, readJson } from "../support/checked.ts";
import { simulatorKey } from "../support/simulator.ts";
import { startTestStack, type TestStack } from "../support/stack.ts";
import { acceptCheckout, card, expectProblem, orderIn, until } from "./requests.ts";
import { newSecret } from "./statuses.ts";
import { sendStripe, stripeEvent, stripeSignature } from "./stripe-events.ts";

const secret = newSecret();
let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack({
    environment: {
      PSP_STRIPE_WEBHOOK_SECRET: secret,
      SIMULATOR_WEBHOOK_SECRET: secret,
      PSP_TIMEOUT_SECONDS: "0.5",
      JOB_LEASE_SECONDS: "3",
    },
    has_webhooks: true,
  });
});
afterAll(async () => {
  expect((await verifyBooks(stack.db.database)).flatMap((check) => check.faults)).toEqual([]);
  await stack.stopAll();
});

const Intent = Type.Object({ id: Type.String(), status: Type.String() });
type Charged = { readonly id: string; readonly attempt_id: string; readonly reference: string };

/** An order of 29.99 in this status, and its charge at the PSP. */
async function order(status: string, token: string, changes: Record<string, unknown> = {}): Promise<Charged> {
  const {
    order_ids: [id],
  } = await acceptCheckout(stack, { ...card(token), ...changes }, [{ amount: "29.99" }]);
  await orderIn(stack, id, status);
  const [attempt] = await stack.db.asOwner(
    "select attempt_id, psp_reference from payment_attempts where payment_order_id = $1",
    [id],
  );
  return { id, attempt_id: String(attempt?.["attempt_id"]), reference: String(attempt?.["psp_reference"]) };
}

const isApplied = async (psp_event_id: string): Promise<boolean> =>
  (
    await stack.db.asOwner("select 1 from webhook_inbox where psp_event_id = $1 and state = 'applied'", [
      psp_event_id,
    ])
  ).length === 1;

/** A signed webhook that is applied. */
async function tell(
  { id, attempt_id }: Charged,
  type: string,
  intent: Record<string, unknown>,
): Promise<void> {
  const event = stripeEvent({ attempt_id, payment_order_id: id, amount: 2_999 }, { type, intent });
  await sendStripe(stack, event, { "stripe-signature": stripeSignature(event, secret) });
  const event_id = idIn(event);
  await until(`${type} is applied`, () => isApplied(event_id));
}

const lettersAbout = (id: string): Promise<unknown[]> =>
  stack.db.asOwner(
    "select kind, reason from dead_letters where subject_id = $1 and state = 'waiting' order by dead_letter_id",
    [id],
  );
const about = (reference: string): unknown => ({
  kind: "discrepancy",
  reason: expect.stringContaining(reference) as string,
});
const attemptOf = async ({ attempt_id }: Charged): Promise<unknown> =>
  (
    await stack.db.asOwner("select status, psp_reference from payment_attempts where attempt_id = $1", [
      attempt_id,
    ])
  )[0];
const booksOf = (id: string): Promise<unknown[]> =>
  stack.db.asOwner(
    "select kind, part from ledger_transactions where subject_type = 'order' and subject_id = $1",
    [id],
  );
const authorisation = { capture_method: "manual", amount_received: 0 };

describe("a paid attempt", () => {
  test("that the PSP really charged a second time is a case for a person", async () => {
    const paid = await order("SUCCESS", "tok_visa_4242");
    const made = await fetch(`${stack.simulator_url}/v1/payment_intents`, {
      method: "POST",
      headers: { authorization: `Bearer ${simulatorKey}`, "idempotency-key": `second-${paid.id}` },
      body: new URLSearchParams({
        amount: "2999",
        currency: "usd",
        confirm: "true",
        payment_method: "pm_card_visa",
        "payment_method_types[0]": "card",
        "metadata[attempt_id]": paid.attempt_id,
        "metadata[payment_order_id]": paid.id,
      }),
    });
    const { id: second, status } = readJson(await made.text(), Intent);
    expect(status).toBe("succeeded");
    await until("a letter waits", async () => (await lettersAbout(paid.id)).length > 0);
    expect(await lettersAbout(paid.id)).toEqual([about(second)]);
    expect(await attemptOf(paid)).toEqual({ status: "succeeded", psp_reference: paid.reference });
    expect(await booksOf(paid.id)).toHaveLength(1);
  });

  test("of which the PSP reports another amount or currency is one too; a repetition is not", async () => {
    const paid = await order("SUCCESS", "tok_visa_4242");
    await tell(paid, "payment_intent.succeeded", { id: paid.reference });
    await tell(paid, "payment_intent.processing", { id: "pi_other", status: "processing" });
    await tell(paid, "payment_intent.canceled", { id: "pi_other", status: "canceled", latest_charge: null });
    expect(await lettersAbout(paid.id)).toEqual([]);
    await tell(paid, "payment_intent.succeeded", { id: paid.reference, amount_received: 9_999 });
    await tell(paid, "payment_intent.succeeded", { id: paid.reference, currency: "eur" });
    await tell(paid, "payment_intent.amount_capturable_updated", {
      ...authorisation,
      id: "pi_held",
      status: "requires_capture",
    });
    expect(await lettersAbout(paid.id)).toEqual([about("9999"), about("EUR"), about("pi_held")]);
    expect(await orderIn(stack, paid.id, "SUCCESS")).toMatchObject({ captured_amount: "29.99" });
  });

  test("that was captured in part repeats what was captured", async () => {
    const held = await order("AUTHORIZED", "tok_visa_4242", { capture_method: "manual" });
    await stack.call("POST", `/payments/${held.id}/capture`, { capture_id: "c", amount: "10.00" });
    await orderIn(stack, held.id, "SUCCESS");
    await tell(held, "payment_intent.succeeded", { id: held.reference, amount_received: 1_000 });
    await tell(held, "payment_intent.amount_capturable_updated", {
      ...authorisation,
      id: held.reference,
      status: "requires_capture",
    });
    expect(await lettersAbout(held.id)).toEqual([]);
    await tell(held, "payment_intent.succeeded", { id: held.reference, amount_received: 2_999 });
    expect(await lettersAbout(held.id)).toEqual([about("2999")]);
  });
});

describe("an authorisation", () => {
  test("is not ended by what another intent of the attempt has come to, and keeps its reference", async () => {
    const held = await order("AUTHORIZED", "tok_visa_4242", { capture_method: "manual" });
    const another = { ...authorisation, id: "pi_second", latest_charge: "ch_1" };
    await tell(held, "payment_intent.amount_capturable_updated", { ...another, status: "requires_capture" });
    await tell(held, "payment_intent.canceled", { ...another, status: "canceled" });
    await tell(held, "payment_intent.succeeded", { id: "pi_second", amount_received: 2_999 });
    await orderIn(stack, held.id, "AUTHORIZED");
    expect(await attemptOf(held)).toEqual({ status: "authorized", psp_reference: held.reference });
    expect(await lettersAbout(held.id)).toEqual(
      ["an authorisation", "the end", "a success"].map((what) => about(`reports ${what} (pi_second`)),
    );

    await stack.call("POST", `/payments/${held.id}/capture`, { capture_id: "c", amount: "29.99" });
    expect(await orderIn(stack, held.id, "SUCCESS")).toMatchObject({ captured_amount: "29.99" });
  });
});

describe("an attempt that waits for its buyer", () => {
  test.each([
    ["canceled", { status: "canceled", latest_charge: null }],
    [
      "payment_failed",
      { status: "requires_payment_method", last_payment_error: { code: "card_declined", message: "No." } },
    ],
    ["succeeded", { amount_received: 2_999 }],
  ])("is not ended by another intent that is %s: its own may still be paid", async (type, intent) => {
    const waiting = await order("PENDING", "tok_authenticationRequired");
    await tell(waiting, `payment_intent.${type}`, { id: "pi_B", ...intent });
    await orderIn(stack, waiting.id, "PENDING");
    expect(await attemptOf(waiting)).toEqual({ status: "pending", psp_reference: waiting.reference });
    expect(await lettersAbout(waiting.id)).toEqual([about("pi_B")]);
    expectProblem(await stack.call("POST", `/payments/${waiting.id}/retry`, {}), 409, "state_conflict");
    expect(await booksOf(waiting.id)).toEqual([]);
    await tell(waiting, "payment_intent.succeeded", { id: waiting.reference });
    await orderIn(stack, waiting.id, "SUCCESS");
  });

  test("and is resolved with another charge takes that one's reference", async () => {
    const waiting = await order("PENDING", "tok_authenticationRequired");
    const real = `pi_real_${waiting.id}`;
    await tell(waiting, "payment_intent.processing", { id: real, status: "processing" });
    const [letter] = await stack.db.asOwner(
      "select dead_letter_id from dead_letters where subject_id = $1 and state = 'waiting'",
      [waiting.id],
    );
    const said = {
      outcome: "succeeded",
      psp_reference: real,
      note: "Seen.",
      dead_letter_ids: [letter?.["dead_letter_id"]],
    };
    const reply = await stack.call("POST", `/attempts/${waiting.attempt_id}/resolve`, {
      ...said,
      amount: "29.99",
      currency: "USD",
    });
    expect(reply.status, reply.text).toBe(202);
    await orderIn(stack, waiting.id, "SUCCESS");
    expect(await attemptOf(waiting)).toEqual({ status: "succeeded", psp_reference: said.psp_reference });
    await tell(waiting, "payment_intent.succeeded", { id: said.psp_reference });
    expect(await lettersAbout(waiting.id)).toEqual([]);
  });
});
