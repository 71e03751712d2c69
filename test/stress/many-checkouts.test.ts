import { afterAll, beforeAll, expect, test } from "vitest";
import { verifyBooks } from "../../src/cli/verify.ts";
import { checkoutBody, startTestStack, type Reply, type TestStack } from "../support/stack.ts";

const checkouts = 2_000;
const connections = 64;

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack({ environment: { COMMISSION_BASIS_POINTS: "250" } });
});
afterAll(() => stack.stopAll());

/** One of 40 sellers, amounts of one to four digits, every tenth declined, every twentieth in trouble once. */
function bodyOf(index: number): Record<string, unknown> {
  const token =
    index % 10 === 3
      ? "tok_card_declined"
      : index % 20 === 7
        ? "tok_fault_once_processing_error"
        : "tok_visa_4242";
  return checkoutBody({ credit_card_info: { token } }, [
    { seller_account: `seller_${index % 40}`, amount: `${index % 90}.${String(10 + (index % 90))}` },
  ]);
}

test("2,000 different checkouts from 64 connections, each sent twice: all final, no 5xx, every paid order charged once, the books right (R219)", async () => {
  const bodies = Array.from({ length: checkouts }, (_, index) => bodyOf(index));
  const replies: Reply[] = [];
  const repeats: Reply[] = [];
  let next = 0;
  const client = async (): Promise<void> => {
    for (let index = next++; index < bodies.length; index = next++) {
      const body = bodies[index];
      replies.push(await stack.call("POST", "/payments", body));
      if (index % 4 === 0) repeats.push(await stack.call("POST", "/payments", body));
    }
  };
  await Promise.all(Array.from({ length: connections }, client));
  expect(tally(replies.map((reply) => reply.status))).toEqual({ 202: checkouts });
  expect(
    tally(repeats.map((reply) => `${reply.status} ${reply.headers.get("idempotent-replayed") ?? ""}`)),
  ).toEqual({ "202 true": checkouts / 4 });

  // While the rest is under way the books are right at every moment.
  await expectRightBooks();
  await untilFinal();
  const states = await stack.db.asOwner(
    "select status, count(*)::int as n from payment_orders group by status order by status",
  );
  expect(states).toEqual([
    { status: "SUCCESS", n: checkouts * 0.9 },
    { status: "FAILED", n: checkouts * 0.1 },
  ]);
  expect(await stack.effectsSummary()).toMatchObject({ charges: checkouts * 0.9, duplicate_orders: [] });
  await expectRightBooks();

  const [books] = await stack.db.asOwner(
    `select (select sum(amount_minor)::text from payment_orders where status = 'SUCCESS') as paid,
            (select balance_minor::text from ledger_accounts where code = 'psp:stripe:clearing') as clearing,
            (select (-sum(balance_minor))::text from ledger_accounts where code <> 'psp:stripe:clearing') as shares,
            (select count(*)::int from payment_events where is_payment_done) as done`,
  );
  const { amount_by_currency } = await stack.effectsSummary();
  expect(books).toEqual({
    paid: String(amount_by_currency["usd"]),
    clearing: String(amount_by_currency["usd"]),
    shares: String(amount_by_currency["usd"]),
    done: checkouts * 0.9,
  });
  expect(await stack.db.asOwner("select 1 from dead_letters limit 1")).toEqual([]);
}, 90_000);

function tally(values: readonly (string | number)[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
}

async function expectRightBooks(): Promise<void> {
  const checks = await verifyBooks(stack.db.database);
  expect(checks.length).toBeGreaterThan(10);
  expect(checks.flatMap((check) => check.faults)).toEqual([]);
}

async function untilFinal(): Promise<void> {
  const deadline = performance.now() + 60_000;
  for (;;) {
    const [left] = await stack.db.asOwner(
      "select count(*)::int as n from payment_orders where status not in ('SUCCESS', 'FAILED', 'CANCELED')",
    );
    if (left?.["n"] === 0) return;
    if (performance.now() > deadline)
      throw new Error(`${String(left?.["n"])} orders are not final after 60 s`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
