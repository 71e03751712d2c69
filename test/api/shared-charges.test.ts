import { randomBytes } from "node:crypto";
import pg from "pg";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { verifyPayments } from "../../src/payments/payments.ts";
import { startTestStack, type TestStack } from "../support/stack.ts";
import { acceptCheckout, card, orderIn, until } from "./requests.ts";
import { sendStripe, stripeEvent, stripeSignature } from "./stripe-events.ts";

const secret = `whsec_${randomBytes(24).toString("base64")}`;
let stack: TestStack;
let client: pg.Client;
beforeAll(async () => {
  stack = await startTestStack({
    environment: {
      PSP_STRIPE_WEBHOOK_SECRET: secret,
      PSP_TIMEOUT_SECONDS: "0.5",
      JOB_LEASE_SECONDS: "3",
      PSP_BREAKER_FAILURES: "1000",
    },
  });
  client = new pg.Client({ connectionString: stack.db.url });
  await client.connect();
});
afterAll(async () => {
  await client.end();
  await stack.stopAll();
});

type Undecided = { readonly id: string; readonly attempt_id: string };
let one: Undecided;
let other: Undecided;
beforeEach(async () => {
  [one, other] = [await undecided(), await undecided()];
});

async function undecided(): Promise<Undecided> {
  const {
    order_ids: [id],
  } = await acceptCheckout(stack, card("tok_fault_timeout_before_charge"), [{ amount: "29.99" }]);
  const { attempts } = await orderIn(stack, id, "UNKNOWN");
  return { id, attempt_id: attempts[0]?.attempt_id ?? "" };
}

async function resolve({ attempt_id }: Undecided, psp_reference: string): Promise<void> {
  const said = { outcome: "succeeded", psp_reference, amount: "29.99", currency: "USD", note: "Seen." };
  const reply = await stack.call("POST", `/attempts/${attempt_id}/resolve`, said);
  expect(reply, reply.text).toMatchObject({ status: 202 });
}

async function expectDiscrepancy(about: string, psp_reference: string): Promise<void> {
  const letters = await stack.db.asOwner(
    "select kind, reason, payload ->> 'attempt_id' as attempt_id from dead_letters where subject_id = $1 and state = 'waiting'",
    [about],
  );
  const reason =
    `stripe names ${psp_reference} (payment) for ${one.attempt_id}, but it belongs to ${other.attempt_id}: ` +
    "one of the two may be booked without money.";
  expect(letters).toEqual([{ kind: "discrepancy", reason, attempt_id: one.attempt_id }]);
}

test("a charge that is being booked for one attempt while a person resolves another one with it", async () => {
  await client.query(`
    create function wait_for_test() returns trigger language plpgsql as
      $$ begin perform pg_advisory_xact_lock(4242); return new; end $$;
    create trigger wait_for_test before update on webhook_inbox
      for each row when (new.state = 'applied') execute function wait_for_test();
    select pg_advisory_lock(4242)`);
  const event = stripeEvent(
    { attempt_id: other.attempt_id, payment_order_id: other.id, amount: 2_999 },
    { intent: { id: "pi_shared" } },
  );
  await sendStripe(stack, event, { "stripe-signature": stripeSignature(event, secret) });
  await until(
    "the outcome of the other is written",
    async () =>
      (await stack.db.asOwner("select 1 from pg_locks where locktype = 'advisory' and not granted")).length >
      0,
  );
  await resolve(one, "pi_shared");
  await client.query("select pg_advisory_unlock(4242); drop trigger wait_for_test on webhook_inbox");
  await orderIn(stack, other.id, "SUCCESS");
  await orderIn(stack, one.id, "SUCCESS");
  await expectDiscrepancy(one.id, "pi_shared");
  const faults = (await verifyPayments(stack.db.database)).flatMap((check) => check.faults);
  expect(faults).toMatchObject([
    { subject: `attempt ${one.attempt_id}` },
    { subject: `order ${one.id}`, problem: expect.stringContaining("no id of stripe") as string },
    { subject: `attempt ${one.attempt_id}`, problem: expect.stringContaining(other.attempt_id) as string },
  ]);
});

test("a resolution waits for what other processes had begun to book before it was stored", async () => {
  await client.query("begin");
  await client.query(
    "update payment_attempts set status = 'succeeded', psp_reference = 'pi_elsewhere' where attempt_id = $1",
    [other.attempt_id],
  );
  await client.query(
    "insert into psp_references (psp, reference, type, subject_id) values ('stripe', 'pi_elsewhere', 'payment_intent', $1)",
    [other.attempt_id],
  );
  await resolve(one, "pi_elsewhere");
  await new Promise((wait) => setTimeout(wait, 3_000));
  expect(await orderIn(stack, one.id, "UNKNOWN", "SUCCESS")).toMatchObject({ status: "UNKNOWN" });
  await client.query("commit");
  await orderIn(stack, one.id, "SUCCESS");
  await expectDiscrepancy(one.id, "pi_elsewhere");
});

test("a charge that the PSP names for two attempts stays with the first; the other is booked, and a person is told", async () => {
  const tell = async ({ attempt_id, id }: Undecided, intent: string): Promise<void> => {
    const about = { attempt_id, payment_order_id: id, amount: 2_999 };
    const event = stripeEvent(about, { intent: { id: intent, latest_charge: "ch_named_twice" } });
    await sendStripe(stack, event, { "stripe-signature": stripeSignature(event, secret) });
    await orderIn(stack, id, "SUCCESS");
  };
  await tell(other, "pi_first");
  await tell(one, "pi_second");
  const letters = await stack.db.asOwner(
    "select kind, reason from dead_letters where subject_id = any ($1)",
    [[one.id, other.id]],
  );
  const reason =
    `stripe names ch_named_twice (charge) for ${one.attempt_id}, but it belongs to ${other.attempt_id}: ` +
    "one of the two may be booked without money.";
  expect(letters).toEqual([{ kind: "discrepancy", reason }]);
  const stored = "select reference from psp_references where subject_id = $1 order by reference";
  expect(await stack.db.asOwner(stored, [other.attempt_id])).toEqual([
    { reference: "ch_named_twice" },
    { reference: "pi_first" },
  ]);
  expect(await stack.db.asOwner(stored, [one.attempt_id])).toEqual([{ reference: "pi_second" }]);
});
