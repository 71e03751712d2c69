import { randomBytes } from "node:crypto";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestStack, type Reply, type TestStack } from "../support/stack.ts";
import { acceptCheckout, card, expectProblem, orderIn, path, until } from "./requests.ts";
import { externalAccounts, newSecret, sendStatus, statusBody, statusHeaders } from "./statuses.ts";

const secret = newSecret();
let stack: TestStack;
let other_key: string;
beforeAll(async () => {
  stack = await startTestStack({
    environment: {
      ...externalAccounts({ cash: secret, bank: newSecret() }),
      PSP_TIMEOUT_SECONDS: "0.5",
      JOB_LEASE_SECONDS: "3",
      RESOLUTION_APPROVAL_AMOUNTS: "USD:100.00",
    },
  });
  other_key = (await stack.db.createKey("second person", ["read", "write", "admin"])).token;
});
afterAll(() => stack.stopAll());

type Awaited = { readonly id: string; readonly attempt_id: string };

/** An order that waits for its collector. */
async function awaited(amount = "29.99", psp = "cash"): Promise<Awaited> {
  const inCash = { credit_card_info: undefined, external: { psp } };
  const {
    order_ids: [id],
  } = await acceptCheckout(stack, inCash, [{ amount }]);
  const { attempts } = await orderIn(stack, id, "PENDING");
  return { id, attempt_id: attempts[0]?.attempt_id ?? "" };
}

async function report(fields: Record<string, unknown>, state: "applied" | "rejected"): Promise<void> {
  const id = `msg_${randomBytes(8).toString("hex")}`;
  const body = statusBody(fields);
  expect(await sendStatus(stack, body, statusHeaders(body, secret, { id }))).toMatchObject({ status: 200 });
  await until(`the report is ${state}`, async () => {
    const found = await stack.db.asOwner("select state from webhook_inbox where psp_event_id = $1", [id]);
    return found[0]?.["state"] === state;
  });
}

type Letter = { readonly dead_letter_id: string; readonly reason: string };
const discrepancies = async (id: string): Promise<Letter[]> =>
  (await stack.db.asOwner(
    `select dead_letter_id, reason, payload ->> 'attempt_id' as attempt_id from dead_letters
      where queue = 'payment_execute' and subject_id = $1 and kind = 'discrepancy' and state = 'waiting'`,
    [id],
  )) as Letter[];

const retry = (id: string): Promise<Reply> => stack.call("POST", `/payments/${id}/retry`, {});
const discard = ({ dead_letter_id }: Letter): Promise<Reply> =>
  stack.call("POST", `/dead_letters/${dead_letter_id}/discard`, { note: "Given back." });

test("money of another amount stops the next collection until a person has dealt with it", async () => {
  const { id, attempt_id } = await awaited();
  const told = { payment_order_id: id, amount: "29.00", reference: "receipt-90" };
  await report(told, "rejected");
  await report(told, "rejected");
  const [letter, ...others] = await discrepancies(id);
  expect(others).toEqual([]);
  expect(letter).toMatchObject({
    attempt_id,
    reason: expect.stringMatching(/^cash reports a success \(receipt-90\) of 29\.00 USD that is not booked/),
  });
  await report({ payment_order_id: id, reference: "receipt-91", status: "failed" }, "applied");
  await orderIn(stack, id, "FAILED");
  expectProblem(await retry(id), 409, "state_conflict");
  expect((await orderIn(stack, id, "FAILED")).attempts).toHaveLength(1);

  if (letter !== undefined) expect(await discard(letter)).toMatchObject({ status: 200 });
  expect(await retry(id)).toMatchObject({ status: 200 });
  await orderIn(stack, id, "PENDING");
  await report({ payment_order_id: id, reference: "receipt-92" }, "applied");
  expect(path(await orderIn(stack, id, "SUCCESS"))).toMatch(/FAILED EXECUTING PENDING SUCCESS$/);
});

test("a resolution that was proposed before it is not approved", async () => {
  const { id, attempt_id } = await awaited("100.01");
  const said = { outcome: "failed", note: "The collector came back without money." };
  const { json } = await stack.call("POST", `/attempts/${attempt_id}/resolve`, said);
  await report({ payment_order_id: id, amount: "100.00", reference: "receipt-77" }, "rejected");
  const approved = await stack.call(
    "POST",
    `/approvals/${String(json["approval_id"])}/approve`,
    { content_hash: json["content_hash"] },
    { authorization: `Bearer ${other_key}` },
  );
  expectProblem(approved, 409, "state_conflict", "dead_letter_ids");
  await orderIn(stack, id, "PENDING");
});

test("a decision about the order that is under way ends before the letter comes", async () => {
  const { id } = await awaited();
  const client = new pg.Client({ connectionString: stack.db.url });
  await client.connect();
  await client.query("begin");
  await client.query("select from payment_orders where payment_order_id = $1 for no key update", [id]);
  const rejecting = report({ payment_order_id: id, amount: "1.00" }, "rejected");
  await until("the report waits for the order", async () => {
    const waiting =
      "select from pg_stat_activity where wait_event_type = 'Lock' and query like '%payment_orders%'";
    return (await stack.db.asOwner(waiting)).length > 0;
  });
  await client.query("commit");
  await client.end();
  await rejecting;
  expect(await discrepancies(id)).toHaveLength(1);
});

test("another currency, another reference, another order and an unknown attempt stop it too", async () => {
  const [one, other] = [await awaited(), await awaited()];
  const named = { payment_order_id: one.id };
  await report({ ...named, currency: "EUR" }, "rejected");
  await report({ ...named, status: "pending", reference: "transfer-7" }, "applied");
  await report({ ...named, reference: "transfer-8" }, "rejected");
  await report({ ...named, attempt_id: other.attempt_id, reference: "transfer-9" }, "rejected");
  await report({ ...named, attempt_id: "att_none", reference: "transfer-10" }, "rejected");
  await report({ ...named, attempt_id: "7", reference: "transfer-11" }, "rejected");
  const reasons = (await discrepancies(one.id)).map(({ reason }) => reason).toSorted();
  expect(reasons).toEqual([
    expect.stringMatching(/\(receipt-1\) of 29\.99 EUR/),
    expect.stringMatching(/\(transfer-10\) of 29\.99 USD.* att_none is no attempt of ours/),
    expect.stringMatching(/\(transfer-11\)/),
    expect.stringMatching(/\(transfer-8\).* reported as transfer-7 before/),
    expect.stringMatching(/\(transfer-9\).* not of /),
  ]);
  expect(await discrepancies(other.id)).toMatchObject([
    { attempt_id: other.attempt_id, reason: expect.stringMatching(/\(transfer-9\)/) as string },
  ]);
});

test("an account stops no order of another account or PSP, and a failure of another amount stops nothing", async () => {
  const [own, banked] = [await awaited(), await awaited("29.99", "bank")];
  const {
    order_ids: [charged],
  } = await acceptCheckout(stack, card("tok_visa_4242"), [{ amount: "29.99" }]);
  await orderIn(stack, charged, "SUCCESS");
  for (const payment_order_id of [banked.id, charged]) {
    await report({ payment_order_id, amount: "1.00" }, "rejected");
    await report({ payment_order_id, attempt_id: own.attempt_id, status: "failed" }, "rejected");
    expect(await discrepancies(payment_order_id)).toEqual([]);
  }
  await report({ payment_order_id: own.id, status: "failed", amount: "1.00" }, "rejected");
  expect(await discrepancies(own.id)).toEqual([]);
});
