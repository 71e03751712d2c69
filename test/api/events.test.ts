import { afterAll, beforeAll, expect, test } from "vitest";
import { registryFaultOf } from "../../src/events/events.ts";
import { checkoutBody, startTestStack, type TestStack } from "../support/stack.ts";

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack();
});
afterAll(() => stack.stopAll());

test("a payment's events come in order, registered, with decimal amounts, and the cursor reads on", async () => {
  const body = checkoutBody({ checkout_id: "told" });
  await stack.call("POST", "/payments", body);
  await stack.waitForOrder("told-order-1", ["SUCCESS"]);
  const types = async (): Promise<unknown> => {
    const { json } = await stack.call("GET", "/events?subject_type=payment_order&subject_id=told-order-1");
    return (json["data"] as { type: string }[]).map(({ type }) => type);
  };
  const path = ["payment_order.created", "payment_order.executing", "payment_order.succeeded"];
  await expect.poll(types, { timeout: 10_000 }).toEqual(path);
  const { json } = await stack.call("GET", "/events?type=payment_order.succeeded");
  expect(json["data"]).toMatchObject([
    { subject_id: "told-order-1", data: { amount: "29.99", captured_amount: "29.99", currency: "USD" } },
  ]);
  const after = await stack.call("GET", `/events?cursor=${String(json["next_cursor"])}`);
  expect(after.json).toMatchObject({ data: [], has_more: false });
  const [event] = json["data"] as { event_id: string }[];
  const alone = await stack.call("GET", `/events/${event?.event_id}`);
  expect(alone).toMatchObject({ status: 200, json: { ...event } });
  for (const id of ["evt_999999999999", "evt_0", "evt_x", "999"])
    expect((await stack.call("GET", `/events/${id}`)).json, id).toMatchObject({ code: "not_found" });
  const rows = await stack.db.asOwner("select type, version, subject_type, data from event_log");
  const faults = rows.map((row) => registryFaultOf(row as Parameters<typeof registryFaultOf>[0]));
  expect(faults.filter((fault) => fault !== undefined)).toEqual([]);
});

test("a cursor whose events were removed is refused with what to do; a subject needs both its fields", async () => {
  const { json } = await stack.call("GET", "/events?limit=1");
  await stack.db.asOwner(
    "insert into event_removals (until_at, last_tick) select min(taken_at), max(tick) from ticks",
  );
  const expired = await stack.call("GET", `/events?cursor=${String(json["next_cursor"])}`);
  expect(expired).toMatchObject({ status: 410, json: { code: "events_expired", param: "cursor" } });
  expect(await stack.call("GET", "/events")).toMatchObject({ status: 200 });
  const half = await stack.call("GET", "/events?subject_id=told-order-1");
  expect(half).toMatchObject({ status: 400, json: { code: "invalid_request", param: "subject_type" } });
});
