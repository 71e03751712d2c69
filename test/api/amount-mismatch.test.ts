import { afterAll, beforeAll, expect, test } from "vitest";
import { deadLettersAbout, unresolvedOrders, type Letter } from "../support/answers.ts";
import { idIn } from "../support/checked.ts";
import { startTestStack, type Reply, type TestStack } from "../support/stack.ts";
import { acceptCheckout, card, expectProblem, orderIn, sentLongAgo, until } from "./requests.ts";
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
      PSP_BREAKER_FAILURES: "1000",
    },
    has_webhooks: true,
  });
});
afterAll(() => stack.stopAll());

/** A signed webhook that is applied, about an intent of this amount. */
async function tell(
  attempt_id: string,
  intent_id: string,
  amount: number,
  intent: Record<string, unknown> = {},
  type = "payment_intent.succeeded",
): Promise<void> {
  const event = stripeEvent(
    { attempt_id, payment_order_id: "", amount },
    { type, intent: { id: intent_id, ...intent } },
  );
  await sendStripe(stack, event, { "stripe-signature": stripeSignature(event, secret) });
  const id = idIn(event);
  const state = (): Promise<unknown[]> =>
    stack.db.asOwner("select 1 from webhook_inbox where psp_event_id = $1 and state = 'applied'", [id]);
  await until("the webhook is applied", async () => (await state()).length === 1);
}

const discrepancies = async (id: string): Promise<Letter[]> =>
  (await deadLettersAbout(stack, id)).filter(({ kind }) => kind === "discrepancy");
type LetterId = Pick<Letter, "dead_letter_id">;
const discard = ({ dead_letter_id }: LetterId): Promise<Reply> =>
  stack.call("POST", `/dead_letters/${dead_letter_id}/discard`, { note: "Refunded." });
const redrive = ({ dead_letter_id }: LetterId): Promise<Reply> =>
  stack.call("POST", `/dead_letters/${dead_letter_id}/redrive`, { note: "Again." });

/** An order of 29.99 of which 50.00 were charged, while our own request got no answer. */
async function mismatched(
  token = "tok_fault_timeout_before_charge",
): Promise<{ id: string; attempt_id: string }> {
  const {
    order_ids: [id],
  } = await acceptCheckout(stack, card(token), [{ amount: "29.99" }]);
  const { attempts } = await orderIn(stack, id, "UNKNOWN");
  const attempt_id = attempts[0]?.attempt_id ?? "";
  await tell(attempt_id, `pi_first_${id}`, 5_000);
  return { id, attempt_id };
}

test("a second charge of the same wrong amount has a letter of its own, which names it", async () => {
  const { id, attempt_id } = await mismatched();
  await tell(attempt_id, `pi_second_${id}`, 5_000);
  const reasons = (await discrepancies(id)).map(({ reason }) => reason).toSorted();
  expect(reasons).toEqual([
    expect.stringContaining(`pi_first_${id}`),
    expect.stringContaining(`pi_second_${id}`),
  ]);
});

test("what is told later and says less leaves the attempt's wrong amount to a person, and nothing is sent", async () => {
  const { id, attempt_id } = await mismatched();
  const first = `pi_first_${id}`;
  await tell(attempt_id, first, 5_000, { status: "processing" }, "payment_intent.processing");
  await stack.db.asOwner(
    "insert into dead_letters (dead_letter_id, queue, subject_id, kind, payload, reason, attempt_count) values ($1, 'payment_execute', $2, 'work', jsonb_build_object('payment_order_id', $2::text), 'Asked for long.', 1)",
    [`dead_${id}`, id],
  );
  // Asks the PSP again, which knows neither the intent nor a charge of the attempt.
  expect((await redrive({ dead_letter_id: `dead_${id}` })).status).toBe(200);
  const jobs = (): Promise<unknown[]> =>
    stack.db.asOwner(
      "select 1 from pgboss.job where data ->> 'payment_order_id' = $1 and state < 'completed'",
      [id],
    );
  await until("it is asked about", async () => (await jobs()).length === 0);
  expect(await orderIn(stack, id, "UNKNOWN")).toMatchObject({ error_code: "amount_mismatch" });
  expect((await stack.effects(`payment_order_id=${id}`)).count).toBe(0);
  expect(await discrepancies(id)).toHaveLength(1);
});

test("its letter cannot be discarded or redriven while the attempt is open; resolving the attempt closes it", async () => {
  const { id, attempt_id } = await mismatched();
  const [letter] = await discrepancies(id);
  if (letter === undefined) throw new Error("no letter waits");
  const refused = await discard(letter);
  expectProblem(refused, 409, "state_conflict");
  expect(refused.text).toContain("resolve the attempt");
  expectProblem(await redrive(letter), 409, "state_conflict");
  expect(await discrepancies(id)).toEqual([letter]);
  const data = await unresolvedOrders(stack);
  expect(data.find(({ payment_order_id }) => payment_order_id === id)?.possible_actions).toMatchObject([
    { action: "resolve_attempt", path: `/attempts/${attempt_id}/resolve` },
  ]);

  await sentLongAgo(stack, attempt_id);
  const resolved = await stack.call("POST", `/attempts/${attempt_id}/resolve`, {
    outcome: "failed",
    note: "The 50.00 were refunded.",
    dead_letter_ids: [letter.dead_letter_id],
  });
  expect(resolved.status, resolved.text).toBe(202);
  await orderIn(stack, id, "FAILED");
  expect(await discrepancies(id)).toEqual([]);
  expect((await stack.effects(`payment_order_id=${id}`)).count).toBe(0);
});

test("even without its letter the attempt is only asked about, and stays as it is", async () => {
  const { id } = await mismatched();
  await stack.db.asOwner(
    "update dead_letters set state = 'discarded', decided_by = 'test', decided_at = now() where subject_id = $1",
    [id],
  );
  await stack.db.asOwner("update payment_attempts set psp_reference = null where payment_order_id = $1", [
    id,
  ]);
  const sent = async (): Promise<{ epoch: number; sent_at: string }> => {
    const [row] = await stack.db.asOwner(
      "select epoch, sent_at from payment_attempts where payment_order_id = $1",
      [id],
    );
    return { epoch: Number(row?.["epoch"]), sent_at: String(row?.["sent_at"]) };
  };
  const before = await sent();
  await stack.db.asOwner("update pgboss.job set start_after = now() where data ->> 'payment_order_id' = $1", [
    id,
  ]);
  await until("it is taken up", async () => (await sent()).epoch > before.epoch);
  expect((await sent()).sent_at).toBe(before.sent_at);
  expect(await orderIn(stack, id, "UNKNOWN")).toMatchObject({ error_code: "amount_mismatch" });
});
