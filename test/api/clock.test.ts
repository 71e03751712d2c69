import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { verifyBooks } from "../../src/cli/verify.ts";
import { orderOf } from "../support/answers.ts";
import { startTestStack, type TestStack } from "../support/stack.ts";
import { acceptCheckout, orderIn, sendCheckout, until, type SentCheckout } from "./requests.ts";

/** Longer than every term that has its default here. */
const ahead_seconds = 31 * 86_400;
const lease_seconds = 60;

let stack: TestStack;
let authorised: SentCheckout;
let onPage: SentCheckout;
let spent: SentCheckout;
let answered: string;

const buyer = { buyer_info: { user_id: "spender", email: "spender@example.com" } };
const page = { credit_card_info: undefined, hosted_page: { return_url: "https://shop.example/back" } };
const manual = { capture_method: "manual" };
const withKey = (body: unknown): ReturnType<TestStack["call"]> =>
  stack.call("POST", "/payments", body, { "idempotency-key": "of-last-month" });
const stateOf = async ({ reply }: SentCheckout): Promise<number> =>
  (await fetch(`${stack.service_url}${String(reply.json["status_url"]).replace("?", "/state?")}`)).status;
const nextActionOf = async ({ order_ids: [id] }: SentCheckout): Promise<unknown> =>
  (await stack.call("GET", `/payments/${id}`)).json["next_action"];

beforeAll(async () => {
  stack = await startTestStack({
    environment: {
      SECRET_KEY: "0123456789abcdef0123456789abcdef",
      RISK_BUYER_DAY_MAX: "EUR:100.00",
      JOB_LEASE_SECONDS: String(lease_seconds),
      PSP_TIMEOUT_SECONDS: "2",
    },
  });
  authorised = await acceptCheckout(stack, manual);
  onPage = await acceptCheckout(stack, page);
  spent = await acceptCheckout(stack, buyer, [{ amount: "100.00", currency: "EUR" }]);
  const first = await withKey(spent.body);
  answered = first.text;
  await orderIn(stack, authorised.order_ids[0], "AUTHORIZED");
  expect(await stateOf(onPage)).toBe(200);
  expect(await nextActionOf(onPage)).toMatchObject({ type: "hosted_page" });
  expect((await withKey(spent.body)).text).toBe(answered);
  expect((await sendCheckout(stack, buyer, [{ currency: "EUR" }])).reply.json).toMatchObject({
    risk_decision: "reject",
  });
  await stack.service.stop();
  await stack.restartService({ CLOCK_OFFSET_SECONDS: String(ahead_seconds) });
});
afterAll(async () => {
  expect((await verifyBooks(stack.db.database)).flatMap((check) => check.faults)).toEqual([]);
  await stack.stopAll();
});

describe("when business time is a month ahead, at once", () => {
  test("an authorisation has expired, and is voided", async () => {
    expect(await orderIn(stack, authorised.order_ids[0], "CANCELED")).toMatchObject({
      status_cause: "expired",
    });
  });

  test("a page takes no card any more, and the link to its status has expired", async () => {
    expect(await nextActionOf(onPage)).toBeNull();
    expect(await stateOf(onPage)).toBe(410);
  });

  test("an Idempotency-Key may name another request", async () => {
    const { body } = await sendCheckout(stack);
    expect(await withKey(body)).toMatchObject({ status: 202 });
  });

  test("a buyer has another day to spend in", async () => {
    const { reply } = await acceptCheckout(stack, buyer, [{ amount: "100.00", currency: "EUR" }]);
    expect(reply.json).toMatchObject({ risk_decision: "pass" });
    expect((await sendCheckout(stack, buyer, [{ currency: "EUR" }])).reply.json).toMatchObject({
      risk_decision: "reject",
    });
  });
});

describe("what begins while business time is ahead", () => {
  test("has its whole term: a page is open, and its link works", async () => {
    const sent = await acceptCheckout(stack, page);
    expect(await nextActionOf(sent)).toMatchObject({ type: "hosted_page" });
    expect(await stateOf(sent)).toBe(200);
  });

  test("gets the same answer again, byte for byte, with the business time of its acceptance", async () => {
    const { body, reply } = await acceptCheckout(stack);
    expect((await stack.call("POST", "/payments", body)).text).toBe(reply.text);
    const age_seconds = (Date.parse(String(reply.json["created_at"])) - Date.now()) / 1_000;
    expect(age_seconds / ahead_seconds).toBeCloseTo(1, 4);
  });

  test("is authorised for as long as the PSP holds it, though the PSP has real time", async () => {
    const { order_ids } = await acceptCheckout(stack, manual);
    await orderIn(stack, order_ids[0], "AUTHORIZED");
    const {
      attempts: [attempt],
    } = await orderOf(stack, order_ids[0]);
    const left_ms = Date.parse(attempt?.authorization_expires_at ?? "") - Date.now() - ahead_seconds * 1_000;
    expect(left_ms / 86_400_000).toBeCloseTo(7, 1);
  });

  test("is booked as effective then, and recorded now", async () => {
    const { order_ids } = await acceptCheckout(stack);
    await orderIn(stack, order_ids[0], "SUCCESS");
    const [times] = await stack.db.asOwner(
      `select extract(epoch from effective_at - created_at)::float8 as ahead, extract(epoch from now() - created_at)::float8 as age
         from ledger_transactions where kind = 'captured' and subject_id = $1`,
      [order_ids[0]],
    );
    expect(Number(times?.["ahead"]) / ahead_seconds).toBeCloseTo(1, 4);
    expect(Number(times?.["age"])).toBeLessThan(60);
  });

  test("is leased, due and overdue in real time", async () => {
    const { order_ids } = await acceptCheckout(stack, manual);
    await orderIn(stack, order_ids[0], "AUTHORIZED");
    await stack.setFaults({ next_modifications: [{ fault: "timeout_before_charge", count: 1 }] });
    await stack.call("POST", `/payments/${order_ids[0]}/capture`, { capture_id: "slow" });
    const leases = (): Promise<Record<string, unknown>[]> =>
      stack.db.asOwner(
        `select extract(epoch from leased_until - now())::float8 as left, extract(epoch from due_at - now())::float8 as due
           from operations where capture_id = 'slow' and leased_until is not null`,
      );
    await until("the capture is leased", async () => (await leases()).length === 1);
    const [lease] = await leases();
    expect(Number(lease?.["left"])).toBeGreaterThan(lease_seconds - 10);
    expect(Number(lease?.["left"])).toBeLessThanOrEqual(lease_seconds);
    expect(Number(lease?.["due"])).toBeLessThanOrEqual(lease_seconds);
    expect((await stack.call("GET", "/unresolved_orders?seconds_min=3600")).json["data"]).toEqual([]);
    await orderIn(stack, order_ids[0], "SUCCESS");
  });
});
