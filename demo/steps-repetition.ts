import { Entries, Problem, Wallets } from "./answers.ts";
import { read, type Client } from "./client.ts";
import { bodyOf, fiftyTimes, twoSellers } from "./fixtures.ts";
import type { StepContext, Step } from "./step-context.ts";

export const repeatCheckout: Step = {
  title: "The same checkout again, and fifty times at once",
  proves: "A client that does not know whether a request arrived can send it again. The buyer pays once.",
  async run(context) {
    await repeat(context);
    await repeatAtOnce(context);
  },
};

async function repeat({ client, checks, first_answers }: StepContext): Promise<void> {
  const before = await stateOf(client);
  const again = await client.post("/payments", bodyOf(twoSellers));
  checks.check(
    `sent again: the same answer, all ${Buffer.byteLength(again.text)} bytes of it`,
    [again.status, again.text, again.is_replay],
    [202, first_answers.get(twoSellers.checkout_id) ?? "", true],
  );
  const cheaper = { ...twoSellers, orders: twoSellers.orders.map((order) => ({ ...order, amount: "1.00" })) };
  const changed = await client.post("/payments", bodyOf(cheaper));
  checks.check(
    "the same checkout_id with different amounts: refused, 422 checkout_id_reused",
    [changed.status, read(changed.text, Problem).code],
    [422, "checkout_id_reused"],
  );
  const rerun = await client.post("/payments/order-bob/retry");
  checks.check(
    "a retry of a paid order: refused, 409 state_conflict",
    [rerun.status, read(rerun.text, Problem).code],
    [409, "state_conflict"],
  );
  checks.check(
    "nothing changed: the same charges, ledger entries and wallets as before",
    await stateOf(client),
    before,
  );
}

async function repeatAtOnce({ client, checks }: StepContext): Promise<void> {
  const replies = await Promise.all(
    Array.from({ length: 50 }, () => client.post("/payments", bodyOf(fiftyTimes))),
  );
  const accepted = replies.filter(({ status }) => status === 202);
  const busy = replies.filter(({ status }) => status === 409);
  const others = replies.filter(({ status }) => status !== 202 && status !== 409).map(({ status }) => status);
  checks.check(
    `a new checkout sent 50 times at once: ${accepted.length} times 202, always with the same bytes${busy.length === 0 ? "" : `, ${busy.length} times 409`}`,
    [others, new Set(accepted.map((reply) => reply.text)).size],
    [[], 1],
  );
  const order = await client.waitForOrder(fiftyTimes.payment_order_id, "SUCCESS");
  checks.check(
    `the 50 requests made one attempt and one charge of ${order.amount} ${order.currency}`,
    [order.attempts.length, await client.countCharges(fiftyTimes.payment_order_id), order.amount],
    [1, 1, "12.00"],
  );
}

/** Everything that a repeat could have changed. */
async function stateOf(client: Client): Promise<unknown> {
  const [entries, wallets, charges] = await Promise.all([
    client.get("/ledger?limit=100", Entries),
    client.get("/wallets", Wallets),
    client.summarizeCharges(),
  ]);
  return { entries, wallets, charges };
}
