import { afterAll, beforeAll, expect, test } from "vitest";
import { pageOf, type Page } from "../support/answers.ts";
import { startTestStack, type TestStack } from "../support/stack.ts";
import { acceptCheckout, card, orderIn, until } from "./requests.ts";

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack({
    environment: {
      OVERDUE_SECONDS: "2",
      MONITOR_SECONDS: "1",
      PSP_TIMEOUT_SECONDS: "1",
      PSP_BREAKER_FAILURES: "1000",
      HOSTED_PAGE_SECONDS: "1800",
    },
  });
});
afterAll(() => stack.stopAll());

const told = (paymentOrderId: string): Promise<Record<string, unknown>[]> =>
  stack.db.asOwner(
    "select data ->> 'status' as status from events where type = 'payment_order.overdue' and subject_id = $1",
    [paymentOrderId],
  );
const overdueCount = async (status: string): Promise<string | undefined> =>
  new RegExp(`pacioli_payment_orders_overdue_total\\{status="${status}"\\} (\\d+)`).exec(
    await (await fetch(`${stack.operationsUrl()}/metrics`)).text(),
  )?.[1];

test("an order that stays UNKNOWN is told of once, by event and metric, and listed with its age", async () => {
  const {
    order_ids: [id],
  } = await acceptCheckout(stack, card("tok_fault_timeout_before_charge"));
  await orderIn(stack, id, "UNKNOWN");
  await until("the monitor has told", async () => (await told(id)).length > 0);
  // Three more looks.
  await new Promise((resolve) => setTimeout(resolve, 3_500));
  expect(await told(id)).toEqual([{ status: "UNKNOWN" }]);
  expect(await overdueCount("UNKNOWN")).toBe("1");
  const { json } = await stack.call("GET", "/unresolved_orders?seconds_min=3");
  expect(json["data"]).toEqual([
    expect.objectContaining({
      object: "unresolved_order",
      payment_order_id: id,
      status: "UNKNOWN",
      psp: "stripe",
    }),
  ]);
  expect((await stack.call("GET", "/unresolved_orders?seconds_min=3000")).json["data"]).toEqual([]);
});

test("the list of what is undecided has pages, and shows captures that the PSP has not answered", async () => {
  const {
    order_ids: [authorised],
  } = await acceptCheckout(stack, { capture_method: "manual" });
  await orderIn(stack, authorised, "AUTHORIZED");
  await stack.setFaults({ next_modifications: [{ fault: "timeout_before_charge", count: 20 }] });
  await stack.call("POST", `/payments/${authorised}/capture`, { capture_id: "one" });
  const { order_ids } = await acceptCheckout(stack, card("tok_authenticationRequired"), [{}, {}]);
  for (const id of order_ids) await orderIn(stack, id, "PENDING");
  const seen: Record<string, unknown>[] = [];
  for (let cursor: string | null = ""; cursor !== null;) {
    const page: Page = await pageOf(
      stack,
      `/unresolved_orders?limit=1${cursor === "" ? "" : `&cursor=${cursor}`}`,
    );
    seen.push(...page.data);
    cursor = page.next_cursor;
  }
  const ids = seen.map((row) => row["payment_order_id"]);
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids).toEqual(expect.arrayContaining([authorised, ...order_ids]));
  expect(seen.find((row) => row["payment_order_id"] === authorised)).toMatchObject({
    status: "AUTHORIZED",
    operation_kind: "capture",
    operation_status: expect.stringMatching(/executing|unknown/) as string,
  });
  await stack.setFaults({ next_modifications: [] });
  await orderIn(stack, authorised, "SUCCESS");
});

test.concurrent("work whose job was lost is taken up again", async () => {
  const {
    order_ids: [id],
    checkout_id,
  } = await acceptCheckout(stack, {}, [{ amount: "1.00" }]);
  await orderIn(stack, id, "SUCCESS");
  // An order that waits for a job that nobody has.
  await stack.db.asOwner(
    "insert into payment_orders (payment_order_id, checkout_id, position, buyer_account, seller_account, amount_minor, currency, status, status_cause, status_actor, created_by) values ($1, $2, 1, 'b', 'seller_bob', 700, 'USD', 'NOT_STARTED', 'accepted', 'test', 'test')",
    [`${id}-lost`, checkout_id],
  );
  await stack.db.asOwner(
    "update payment_events set unfinished_order_count = 1, is_payment_done = false where checkout_id = $1",
    [checkout_id],
  );
  await orderIn(stack, `${id}-lost`, "SUCCESS");
  expect(await told(`${id}-lost`)).toEqual([{ status: "NOT_STARTED" }]);
  expect(await stack.effects(`payment_order_id=${id}-lost`)).toMatchObject({ count: 1 });
});

test.concurrent("a page that still takes a card is not overdue, and a paid order never is", async () => {
  const {
    order_ids: [id],
  } = await acceptCheckout(stack, {
    credit_card_info: undefined,
    hosted_page: { return_url: "https://shop.example/" },
  });
  const {
    order_ids: [paid],
  } = await acceptCheckout(stack);
  await orderIn(stack, id, "PENDING");
  await new Promise((resolve) => setTimeout(resolve, 4_500));
  expect([...(await told(id)), ...(await told(paid))]).toEqual([]);
});
