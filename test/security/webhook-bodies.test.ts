import { afterAll, beforeAll, expect, test } from "vitest";
import { expectProblem } from "../api/requests.ts";
import { externalAccounts, newSecret, sendStatus, statusBody, statusHeaders } from "../api/statuses.ts";
import { sendStripe, stripeSignature } from "../api/stripe-events.ts";
import { startTestStack, type Reply, type TestStack } from "../support/stack.ts";

const secrets = { stripe: newSecret(), cash: newSecret() };
let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack({
    has_webhooks: true,
    environment: {
      PSP_STRIPE_WEBHOOK_SECRET: secrets.stripe,
      SIMULATOR_WEBHOOK_SECRET: secrets.stripe,
      ...externalAccounts({ cash: secrets.cash }),
    },
  });
});
afterAll(() => stack.stopAll());

type Row = { readonly type: string; readonly body: string };
async function inboxRow(psp_event_id: string): Promise<Row> {
  const [row] = await stack.db.asOwner("select type, body from webhook_inbox where psp_event_id = $1", [
    psp_event_id,
  ]);
  return { type: String(row?.["type"]), body: String(row?.["body"]) };
}

let count = 0;
/** An event as Stripe prints it, sent and signed; the row that is kept. */
async function kept(object: Record<string, unknown>, event: Record<string, unknown> = {}): Promise<Row> {
  count += 1;
  const id = `evt_kept_${String(count).replaceAll(/\d/g, "n")}${"abcdefghijklmnop".charAt(count)}`;
  const body = JSON.stringify(
    { id, object: "event", type: "payment_intent.created", data: { object }, ...event },
    null,
    2,
  );
  const reply = await sendStripe(stack, body, { "stripe-signature": stripeSignature(body, secrets.stripe) });
  expect(reply.status).toBe(200);
  return inboxRow(id);
}

test.for<[string, Record<string, unknown>, Record<string, unknown>?]>([
  ["verification codes", { metadata: { cvc: "123", security_code: "123", pin: "123", cid: "123" } }],
  ["a number over lines", { description: "customer said:\n4242\n4242\n4242\n4242\nexp 12/29" }],
  ["a number as a name", { metadata: { "4242424242424242": "the buyer's card" } }],
  [
    "ids that nothing reads",
    { metadata: { customer_card_id: "4242424242424242", card_reference: "4000056655665556" } },
  ],
  ["the event's type", {}, { type: "4242 4242 4242 4242" }],
  [
    "a session's address",
    { object: "checkout.session", url: "https://checkout.stripe.com/c/pay/cs_live_SECRET#fid" },
  ],
  ["an invoice's address", { object: "invoice", hosted_invoice_url: "https://invoice.stripe.com/i/SECRET" }],
  [
    "a source's address",
    { redirect: { url: "https://hooks.stripe.com/x?client_secret=src_client_secret_SECRET" } },
  ],
])("a signed webhook is stored without %s", async ([, object, event]) => {
  const { type, body } = await kept({ id: "pi_x", ...object }, event);
  expect(`${type}${body}`).not.toMatch(/"123"|4242|4000056655665556|SECRET/);
  expect(body).toContain('"pi_x"');
});

const sendReport = (fields: Record<string, unknown>, id?: string): Promise<Reply> => {
  const body = statusBody(fields);
  return sendStatus(stack, body, statusHeaders(body, secrets.cash, id === undefined ? {} : { id }));
};

test("an external account's ids that hold a card number are refused by name, and nothing is stored", async () => {
  for (const card of ["4242424242424242", "4242 4242 4242 4242", "receipt 4242%204242%204242%204242"]) {
    for (const param of ["reference", "payment_order_id", "attempt_id"])
      expectProblem(await sendReport({ [param]: card }), 400, "card_number_refused", param);
    expectProblem(await sendReport({}, card), 400, "card_number_refused", "webhook-id");
  }
  expect(await stack.db.asOwner("select 1 from webhook_inbox where psp = 'cash'")).toEqual([]);
  const accepted = await sendReport(
    { error: "the card\n4242\n4242\n4242\n4242 was refused", status: "failed" },
    "msg-1",
  );
  expect(accepted.status).toBe(200);
  expect((await inboxRow("msg-1")).body).not.toMatch(/4242/);
});
