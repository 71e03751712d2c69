import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestStack, type TestStack } from "../support/stack.ts";
import { acceptCheckout, card, expectProblem, orderIn, until } from "./requests.ts";
import { sendStripe, stripeEvent, stripeSignature } from "./stripe-events.ts";

type Letter = { dead_letter_id: string; kind: string; reason: string };

const secret = `whsec_${randomBytes(24).toString("base64")}`;
let stack: TestStack;
beforeAll(async () => {
  // Every good card meets the transient processing error, and is given up after it.
  stack = await startTestStack({ environment: {
    PSP_SUCCESS_RATE: "0", MAX_RETRY_ATTEMPTS: "2", RETRY_BACKOFF_BASE: "1",
    PSP_STRIPE_WEBHOOK_SECRET: secret, PSP_TIMEOUT_SECONDS: "0.5", JOB_LEASE_SECONDS: "3",
  } });
});
afterAll(() => stack.stopAll());

/** Stripe says that an attempt was paid which is closed here. */
async function tellsOfSuccess(payment_order_id: string, attempt_id: string, intent_id: string) {
  const body = stripeEvent({ attempt_id, payment_order_id, amount: 2_999 }, { intent: { id: intent_id } });
  const headers = { "stripe-signature": stripeSignature(body, secret) };
  expect((await sendStripe(stack, body, headers)).status).toBe(200);
}

async function lettersAbout(id: string): Promise<readonly Letter[]> {
  const { json } = await stack.call("GET", "/dead_letters?limit=100&state=waiting");
  const data = json["data"] as (Letter & { subject_id: string })[];
  return data.filter(({ subject_id }) => subject_id === id);
}

async function lettersOnceThere(id: string, count: number): Promise<readonly Letter[]> {
  await until(`${count} letters wait`, async () => (await lettersAbout(id)).length === count);
  return lettersAbout(id);
}

const act = (letter: Letter | undefined, verb: string) =>
  stack.call("POST", `/dead_letters/${letter?.dead_letter_id ?? "none"}/${verb}`, { note: "Refunded there." });

test("a success of a closed attempt has a letter of its own, which stops new charges", async () => {
  const { order_ids: [id] } = await acceptCheckout(stack, card("tok_visa_4242"), [{ amount: "29.99" }]);
  const { attempts } = await orderIn(stack, id, "FAILED");
  const [given_up] = await lettersOnceThere(id, 1);
  const given_reason = expect.stringContaining("Given up after 2 attempts") as string;
  expect(given_up).toMatchObject({ kind: "work", reason: given_reason });
  await tellsOfSuccess(id, attempts[0]?.attempt_id ?? "", "pi_first");
  await tellsOfSuccess(id, attempts[0]?.attempt_id ?? "", "pi_first");
  await tellsOfSuccess(id, attempts[1]?.attempt_id ?? "", "pi_second");
  const letters = await lettersOnceThere(id, 3);
  const found = letters.filter(({ kind }) => kind === "discrepancy");
  expect(found.map(({ reason }) => /pi_\w+/.exec(reason)?.[0]).toSorted()).toEqual(["pi_first", "pi_second"]);

  expectProblem(await stack.call("POST", `/payments/${id}/retry`, {}), 409, "state_conflict");
  expectProblem(await act(given_up, "redrive"), 409, "state_conflict");
  for (const letter of found) expectProblem(await act(letter, "redrive"), 409, "state_conflict");
  expect(await lettersAbout(id)).toHaveLength(3);
  expect((await orderIn(stack, id, "FAILED")).attempts).toHaveLength(2);

  for (const letter of found) expect((await act(letter, "discard")).status).toBe(200);
  const retried = await stack.call("POST", `/payments/${id}/retry`, { card_token: "tok_card_declined" });
  expect(retried.status).toBe(200);
  await until("it ends", async () => (await orderIn(stack, id, "FAILED")).attempts.length === 3);
  expect(await lettersAbout(id)).toEqual([]);
});

test("of a page it stops new charges of every order of the checkout", async () => {
  const changes = { credit_card_info: undefined, hosted_page: { return_url: "https://shop.example/back" } };
  const { order_ids } = await acceptCheckout(stack, changes, [{ amount: "20.00" }, { amount: "9.99" }]);
  const { attempts } = await orderIn(stack, order_ids[0], "PENDING");
  const attempt_id = attempts[0]?.attempt_id ?? "";
  const said = { outcome: "failed", note: "Nothing there." };
  expect((await stack.call("POST", `/attempts/${attempt_id}/resolve`, said)).status).toBe(202);
  for (const id of order_ids) await stack.waitForOrder(id, ["FAILED"], 30);
  await tellsOfSuccess(order_ids[0], attempt_id, "pi_page");
  const isTold = async (): Promise<boolean> =>
    (await lettersAbout(order_ids[0])).some(({ reason }) => reason.includes("pi_page"));
  await until("the success is told", isTold);
  for (const id of order_ids) {
    expectProblem(await stack.call("POST", `/payments/${id}/retry`, {}), 409, "state_conflict");
  }
});
