import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { deadLettersAbout, unresolvedOrders, type Letter } from "../support/answers.ts";
import { startTestStack, type TestStack } from "../support/stack.ts";
import { acceptCheckout, card, expectProblem, orderIn, sentLongAgo, until } from "./requests.ts";
import { sendStripe, stripeEvent, stripeSignature } from "./stripe-events.ts";

const secret = `whsec_${randomBytes(24).toString("base64")}`;
let stack: TestStack;
beforeAll(async () => {
  // Every good card meets the transient processing error, and is given up after it.
  stack = await startTestStack({
    environment: {
      PSP_SUCCESS_RATE: "0",
      MAX_RETRY_ATTEMPTS: "2",
      RETRY_BACKOFF_BASE: "1",
      PSP_STRIPE_WEBHOOK_SECRET: secret,
      PSP_TIMEOUT_SECONDS: "0.5",
      JOB_LEASE_SECONDS: "3",
    },
  });
});
afterAll(() => stack.stopAll());

/** Stripe says that an attempt was paid which is closed here. */
async function tellsOfSuccess(payment_order_id: string, attempt_id: string, intent_id: string) {
  const body = stripeEvent({ attempt_id, payment_order_id, amount: 2_999 }, { intent: { id: intent_id } });
  const headers = { "stripe-signature": stripeSignature(body, secret) };
  expect((await sendStripe(stack, body, headers)).status).toBe(200);
}

const lettersAbout = (id: string): Promise<readonly Letter[]> => deadLettersAbout(stack, id);

const stepOf = async (id: string): Promise<unknown> =>
  (await stack.call("GET", `/payments/${id}`)).json["next_action"];

async function lettersOnceThere(id: string, count: number): Promise<readonly Letter[]> {
  await until(`${count} letters wait`, async () => (await lettersAbout(id)).length === count);
  return lettersAbout(id);
}

const act = (letter: Letter | undefined, verb: string) =>
  stack.call("POST", `/dead_letters/${letter?.dead_letter_id ?? "none"}/${verb}`, {
    note: "Refunded there.",
  });

const set = (id: string, assignments: string): Promise<unknown> =>
  stack.db.asOwner(`update payment_orders set ${assignments} where payment_order_id = $1`, [id]);

const addJob = (payment_order_id: string): Promise<unknown> =>
  stack.db.asOwner(
    `insert into pgboss.job (name, data, retry_limit, expire_seconds, policy, dead_letter)
   select name, $1::jsonb, retry_limit, expire_seconds, policy, dead_letter from pgboss.queue where name = 'payment_execute'`,
    [JSON.stringify({ payment_order_id })],
  );

const noJobLeft = (ids: readonly string[]): Promise<void> =>
  until(
    "the jobs are done",
    async () =>
      (
        await stack.db.asOwner(
          "select 1 from pgboss.job where name = 'payment_execute' and data ->> 'payment_order_id' = any ($1::text[]) and state < 'completed'",
          [ids],
        )
      ).length === 0,
  );

/** An order after its first attempt, whose second one comes when the test says so. */
async function waitsForRetry() {
  const {
    checkout_id,
    order_ids: [id],
  } = await acceptCheckout(stack, card("tok_visa_4242"), [{ amount: "29.99" }]);
  const { attempts } = await orderIn(stack, id, "RETRY_SCHEDULED");
  await startsAfter(id, "1 hour");
  return { id, checkout_id, attempts };
}

async function startsAfter(id: string, interval: string): Promise<void> {
  const moved = await stack.db.asOwner(
    `update pgboss.job set start_after = now() + $2::interval
      where name = 'payment_execute' and data ->> 'payment_order_id' = $1 and state = 'created' returning 1`,
    [id, interval],
  );
  expect(moved).toHaveLength(1);
}

const retryNow = (id: string): Promise<void> => startsAfter(id, "0");

/** As a worker does that dies before it sends anything; the sweep takes it up. */
async function openAttempt(attempt: Record<string, unknown>): Promise<void> {
  const opened = {
    ...attempt,
    attempt_number: 2,
    psp: "stripe",
    currency: "USD",
    capture_method: "automatic",
    page_expires_at:
      attempt["payment_order_id"] === null ? new Date(Date.now() + 3_600_000).toISOString() : null,
  };
  await stack.db.asOwner("select payments_open_attempts($1, 'executor')", [JSON.stringify([opened])]);
}

async function possibleActionsOf(id: string): Promise<readonly { action: string; path: string | null }[]> {
  const rows = await unresolvedOrders(stack);
  const row = rows.find(({ payment_order_id }) => payment_order_id === id);
  return (row?.possible_actions ?? []).map(({ action, path }) => ({ action, path }));
}

test("a success of a closed attempt has a letter of its own, which stops new charges", async () => {
  const {
    order_ids: [id],
  } = await acceptCheckout(stack, card("tok_visa_4242"), [{ amount: "29.99" }]);
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

test("while it waits, the buyer is shown no step of a later attempt: they may have paid already", async () => {
  const {
    order_ids: [id],
  } = await acceptCheckout(stack, card("tok_card_declined"), [{ amount: "29.99" }]);
  const { attempts } = await orderIn(stack, id, "FAILED");
  await stack.call("POST", `/payments/${id}/retry`, { card_token: "tok_authenticationRequired" });
  await orderIn(stack, id, "PENDING");
  const step = await stepOf(id);
  expect(step).toMatchObject({ client_secret: expect.stringMatching(/^pi_/) as string });
  await tellsOfSuccess(id, attempts[0]?.attempt_id ?? "", "pi_first_try");
  const [letter] = await lettersOnceThere(id, 1);
  expect(await stepOf(id)).toBeNull();
  expect((await act(letter, "discard")).status).toBe(200);
  expect(await stepOf(id)).toEqual(step);
});

test("of a page it stops new charges of every order of the checkout", async () => {
  const changes = { credit_card_info: undefined, hosted_page: { return_url: "https://shop.example/back" } };
  const { checkout_id, order_ids, body } = await acceptCheckout(stack, changes, [
    { amount: "20.00" },
    { amount: "9.99" },
  ]);
  const { attempts } = await orderIn(stack, order_ids[0], "PENDING");
  const attempt_id = attempts[0]?.attempt_id ?? "";
  const said = { outcome: "failed", note: "Nothing there." };
  await sentLongAgo(stack, attempt_id);
  expect((await stack.call("POST", `/attempts/${attempt_id}/resolve`, said)).status).toBe(202);
  for (const id of order_ids) await stack.waitForOrder(id, ["FAILED"], 30);
  await tellsOfSuccess(order_ids[0], attempt_id, "pi_page");
  const isTold = async (): Promise<boolean> =>
    (await lettersAbout(order_ids[0])).some(({ reason }) => reason.includes("pi_page"));
  await until("the success is told", isTold);
  for (const id of order_ids) {
    expectProblem(await stack.call("POST", `/payments/${id}/retry`, {}), 409, "state_conflict");
  }

  // As if the retry had come just before the report: no page is opened for a job of either order.
  const [first, second = ""] = order_ids;
  for (const id of order_ids) await set(id, "status = 'EXECUTING', status_cause = 'manual_retry'");
  for (const id of order_ids) await addJob(id);
  await noJobLeft(order_ids);
  for (const id of order_ids) expect((await orderIn(stack, id, "EXECUTING")).attempts).toHaveLength(1);
  expect(await possibleActionsOf(second)).toEqual([
    { action: "discard", path: expect.stringContaining("/dead_letters/") as string },
  ]);

  // As if the next attempt had been opened just before the report: its page is not registered.
  await openAttempt({
    attempt_id: "att_second_page",
    checkout_id,
    payment_order_id: null,
    amount_minor: "2999",
  });
  await orderIn(stack, second, "UNKNOWN");
  expectProblem(await stack.call("POST", "/payments", body), 503, "psp_unavailable");
  const [letter] = await lettersAbout(first);
  expect((await act(letter, "discard")).status).toBe(200);
  for (const id of order_ids) await orderIn(stack, id, "PENDING");
});

test("an order that waits for its next attempt starts none, and ends with the last letter", async () => {
  const { id, attempts } = await waitsForRetry();
  await tellsOfSuccess(id, attempts[0]?.attempt_id ?? "", "pi_late");
  await tellsOfSuccess(id, attempts[0]?.attempt_id ?? "", "pi_later");
  const [one, other] = await lettersOnceThere(id, 2);
  await retryNow(id);
  await noJobLeft([id]);
  expect(await orderIn(stack, id, "RETRY_SCHEDULED", "FAILED")).toMatchObject({
    status: "RETRY_SCHEDULED",
    attempts: [{ status: "declined" }],
  });
  expect((await possibleActionsOf(id)).map(({ action }) => action)).toEqual(["discard", "cancel"]);
  expectProblem(await act(one, "redrive"), 409, "state_conflict");

  expect((await act(one, "discard")).status).toBe(200);
  expect(await orderIn(stack, id, "RETRY_SCHEDULED")).toMatchObject({ status: "RETRY_SCHEDULED" });
  expect((await act(other, "discard")).status).toBe(200);
  const ended = await orderIn(stack, id, "FAILED");
  expect(ended).toMatchObject({
    status_cause: "discrepancy",
    error_code: "discrepancy",
    attempts: [{ status: "declined" }],
  });
  expect((await stack.call("POST", `/payments/${id}/retry`, {})).status).toBe(200);
  await until(
    "a person's retry makes an attempt",
    async () => (await orderIn(stack, id, "FAILED")).attempts.length === 2,
  );
});

test.each(["/payments/", "/checkouts/"])(
  "canceling through %s closes what was given up about the order, but no discrepancy",
  async (list) => {
    const { id, checkout_id, attempts } = await waitsForRetry();
    const attempt_id = attempts[0]?.attempt_id ?? "";
    await stack.db.asOwner(
      `insert into dead_letters (dead_letter_id, queue, subject_id, payload, reason, attempt_count)
     values ('dead_' || $1::text, 'payment_execute', $1, '{}', 'asked eight times', 1)`,
      [id],
    );
    await tellsOfSuccess(id, attempt_id, `pi_canceled_${attempt_id}`);
    await lettersOnceThere(id, 2);
    expect(
      (await stack.call("POST", `${list}${list === "/payments/" ? id : checkout_id}/cancel`)).status,
    ).toBe(200);
    expect(await lettersAbout(id)).toMatchObject([{ kind: "discrepancy" }]);
  },
);

test("an attempt that was opened before the report is asked about, and not sent again", async () => {
  const { id, checkout_id, attempts } = await waitsForRetry();
  await tellsOfSuccess(id, attempts[0]?.attempt_id ?? "", "pi_overtaken");
  const [letter] = await lettersOnceThere(id, 1);
  await openAttempt({ attempt_id: "att_not_sent", checkout_id, payment_order_id: id, amount_minor: "2999" });
  // A request to charge would be declined, and the order FAILED.
  expect(await orderIn(stack, id, "UNKNOWN", "FAILED")).toMatchObject({ status: "UNKNOWN" });
  expect((await act(letter, "discard")).status).toBe(200);
  await orderIn(stack, id, "FAILED");
});
