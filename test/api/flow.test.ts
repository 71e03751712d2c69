import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { verifyBooks } from "../../src/cli/verify.ts";
import { startTestStack, type TestStack } from "../support/stack.ts";
import { acceptCheckout, card, development_actor, expectProblem, orderIn, path } from "./requests.ts";

let stack: TestStack;
beforeAll(async () => {
  // The breaker has its own test; here every order is to meet its own fault.
  stack = await startTestStack({
    environment: { PSP_TIMEOUT_SECONDS: "0.5", PSP_BREAKER_FAILURES: "1000", RETRY_BACKOFF_BASE: "1" },
  });
});
afterAll(async () => {
  const faults = (await verifyBooks(stack.db.database)).flatMap((check) => check.faults);
  await stack.stopAll();
  expect(faults).toEqual([]);
});

const chargesOf = async (id: string): Promise<number> =>
  (await stack.effects(`payment_order_id=${id}`)).count;
const seconds = (count: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, count * 1_000));

describe.concurrent("declines", () => {
  test.for([
    ["tok_card_declined", "card_declined"],
    ["tok_insufficient_funds", "insufficient_funds"],
    ["tok_expired_card", "expired_card"],
    ["tok_invalid_cvv", "invalid_cvv"],
    ["tok_fraud_detected", "fraud_detected"],
    ["tok_chargeDeclinedStolenCard", "stolen_card"],
  ] as const)("%s ends in FAILED with the reason %s (R153)", async ([token, reason]) => {
    const { order_ids } = await acceptCheckout(stack, card(token));
    const order = await orderIn(stack, order_ids[0], "FAILED");
    expect(order).toMatchObject({
      error_code: reason,
      status_cause: "psp_declined",
      next_retry_at: null,
      attempts: [{ failure_class: "hard_decline" }],
    });
    expect(path(order)).toBe("NOT_STARTED EXECUTING FAILED");
    expect(await chargesOf(order_ids[0])).toBe(0);
  });

  test("a token that the PSP does not know ends in FAILED and is not repeated", async () => {
    const { order_ids } = await acceptCheckout(stack, card("tok_nobody_knows"));
    expect(await orderIn(stack, order_ids[0], "FAILED")).toMatchObject({
      status_cause: "psp_refused",
      attempts: [{ status: "not_sent", failure_class: "invalid_request" }],
    });
  });

  test("a hard decline is never retried by itself (R212)", async () => {
    const { order_ids } = await acceptCheckout(stack, card("tok_card_declined"));
    await orderIn(stack, order_ids[0], "FAILED");
    // Longer than the wait before a first automatic retry.
    await seconds(2);
    expect(await orderIn(stack, order_ids[0], "FAILED")).toMatchObject({
      retry_count: 0,
      attempts: [{ attempt_number: 1 }],
    });
  });

  test("a manual retry is a new attempt with a new key at the PSP (R242)", async () => {
    const { order_ids } = await acceptCheckout(stack, card("tok_card_declined"));
    await orderIn(stack, order_ids[0], "FAILED");
    expect(await stack.call("POST", `/payments/${order_ids[0]}/retry`)).toMatchObject({
      status: 200,
      json: { status: "EXECUTING", status_cause: "manual_retry", retry_count: 1 },
    });
    const order = await orderIn(stack, order_ids[0], "FAILED");
    const [first, second] = order.attempts;
    expect(order.attempts.map((attempt) => attempt.attempt_number)).toEqual([1, 2]);
    expect(second?.psp_key).not.toBe(first?.psp_key);
    expect(path(order)).toBe("NOT_STARTED EXECUTING FAILED EXECUTING FAILED");
    expect(order.transitions[3]).toMatchObject({ cause: "manual_retry", actor: development_actor });
  });

  test("only a FAILED order can be retried, and only as often as allowed (R125, R161)", async () => {
    const {
      order_ids: [paid],
    } = await acceptCheckout(stack);
    await orderIn(stack, paid, "SUCCESS");
    expectProblem(await stack.call("POST", `/payments/${paid}/retry`), 409, "state_conflict");
    const {
      order_ids: [declined],
    } = await acceptCheckout(stack, card("tok_card_declined"));
    for (let retry = 1; retry <= 5; retry++) {
      await orderIn(stack, declined, "FAILED");
      expect((await stack.call("POST", `/payments/${declined}/retry`)).status).toBe(200);
    }
    const order = await orderIn(stack, declined, "FAILED");
    expect(order).toMatchObject({ retry_count: 5 });
    expectProblem(await stack.call("POST", `/payments/${declined}/retry`), 409, "state_conflict");
    expect((await orderIn(stack, declined, "FAILED")).attempts).toHaveLength(6);
  });
});

describe("faults that pass", () => {
  test("a transient decline is retried by itself, after a wait and with a new key, and succeeds (R211)", async () => {
    const { order_ids } = await acceptCheckout(stack, card("tok_fault_once_processing_error"));
    const order = await orderIn(stack, order_ids[0], "SUCCESS");
    expect(path(order)).toBe("NOT_STARTED EXECUTING RETRY_SCHEDULED EXECUTING SUCCESS");
    expect(order).toMatchObject({
      retry_count: 1,
      attempts: [{ status: "declined", failure_class: "transient_decline" }, { status: "succeeded" }],
    });
    const [first, second] = order.attempts;
    expect(second?.psp_key).not.toBe(first?.psp_key);
    expect(Date.parse(second?.created_at ?? "") - Date.parse(first?.updated_at ?? "")).toBeGreaterThanOrEqual(
      799,
    );
    expect(await chargesOf(order_ids[0])).toBe(1);
  });

  test("429 with Retry-After: the order waits at least that long, then succeeds", async () => {
    await stack.setFaults({ next: [{ fault: "429", count: 6 }] });
    const { order_ids } = await acceptCheckout(
      stack,
      {},
      Array.from({ length: 6 }, () => ({})),
    );
    for (const id of order_ids) {
      const order = await orderIn(stack, id, "SUCCESS");
      expect(order.attempts).toMatchObject([
        { status: "not_sent", failure_class: "rate_limited", failure_code: "psp_rate_limited" },
        { status: "succeeded" },
      ]);
      const [first, second] = order.attempts;
      // The wait of the policy alone would be 0.8 to 1.2 s.
      expect(
        Date.parse(second?.created_at ?? "") - Date.parse(first?.updated_at ?? ""),
      ).toBeGreaterThanOrEqual(999);
      expect(await chargesOf(id)).toBe(1);
    }
  });

  test("the manual cancel of an order that waits for its retry ends it for good", async () => {
    const { order_ids } = await acceptCheckout(stack, card("tok_chargeDeclinedProcessingError"));
    await orderIn(stack, order_ids[0], "RETRY_SCHEDULED");
    expect(await stack.call("POST", `/payments/${order_ids[0]}/cancel`)).toMatchObject({
      status: 200,
      json: { status: "CANCELED", status_cause: "canceled", next_retry_at: null },
    });
    await seconds(2);
    const order = await orderIn(stack, order_ids[0], "CANCELED");
    expect(order.attempts).toHaveLength(1);
    for (const action of ["retry", "cancel"])
      expectProblem(await stack.call("POST", `/payments/${order_ids[0]}/${action}`), 409, "state_conflict");
  });

  test("a paid order cannot be canceled", async () => {
    const { order_ids } = await acceptCheckout(stack);
    await orderIn(stack, order_ids[0], "SUCCESS");
    expectProblem(await stack.call("POST", `/payments/${order_ids[0]}/cancel`), 409, "state_conflict");
  });
});

describe("outcomes that are not known (R241)", () => {
  test.concurrent.for(["timeout_after_charge", "500_after_charge", "truncated", "slow"] as const)(
    "%s: UNKNOWN, then found at the PSP, with one charge and one attempt",
    async (fault) => {
      const { order_ids } = await acceptCheckout(stack, card(`tok_fault_${fault}`));
      const order = await orderIn(stack, order_ids[0], "SUCCESS");
      expect(path(order)).toBe("NOT_STARTED EXECUTING UNKNOWN SUCCESS");
      expect(order.attempts).toMatchObject([{ attempt_number: 1, status: "succeeded" }]);
      expect(await chargesOf(order_ids[0])).toBe(1);
    },
  );

  test.for(["timeout_before_charge", "html"] as const)(
    "%s: UNKNOWN, not found at the PSP, sent again under the same key",
    async (fault) => {
      await stack.setFaults({ next: [{ fault, count: 1 }] });
      const { order_ids } = await acceptCheckout(stack);
      const order = await orderIn(stack, order_ids[0], "SUCCESS");
      expect(path(order)).toBe("NOT_STARTED EXECUTING UNKNOWN SUCCESS");
      expect(order.attempts).toMatchObject([{ attempt_number: 1, status: "succeeded" }]);
      expect(await chargesOf(order_ids[0])).toBe(1);
    },
  );

  test.for(["disconnect_before_charge", "disconnect_after_charge"] as const)(
    "%s: UNKNOWN, then one charge and one attempt",
    async (fault) => {
      await stack.setFaults({ next: [{ fault, count: 1 }] });
      const { order_ids } = await acceptCheckout(stack);
      const order = await orderIn(stack, order_ids[0], "SUCCESS");
      expect(path(order)).toBe("NOT_STARTED EXECUTING UNKNOWN SUCCESS");
      expect(order.attempts).toMatchObject([{ attempt_number: 1, status: "succeeded" }]);
      expect(await chargesOf(order_ids[0])).toBe(1);
    },
  );

  test("an order whose outcome is unknown can be neither retried nor canceled", async () => {
    await stack.setFaults({ next: [{ fault: "html", count: 1 }] });
    const { order_ids } = await acceptCheckout(stack);
    await orderIn(stack, order_ids[0], "UNKNOWN");
    for (const action of ["retry", "cancel"])
      expectProblem(await stack.call("POST", `/payments/${order_ids[0]}/${action}`), 409, "state_conflict");
    await orderIn(stack, order_ids[0], "SUCCESS");
  });
});

describe.concurrent("orders that wait", () => {
  test("a card that needs its buyer is PENDING, not FAILED, and nothing is booked (R209)", async () => {
    const { checkout_id, order_ids } = await acceptCheckout(stack, card("tok_authenticationRequired"), [
      { seller_account: "seller_waiting" },
    ]);
    const order = await orderIn(stack, order_ids[0], "PENDING");
    expect(order).toMatchObject({
      status_cause: "psp_pending",
      wallet_updated: false,
      ledger_updated: false,
      attempts: [{ status: "pending", psp_reference: expect.stringMatching(/^pi_/) as string }],
    });
    // Asked about again, it is still the same attempt.
    await seconds(2);
    expect(await orderIn(stack, order_ids[0], "PENDING")).toMatchObject({
      attempts: [{ status: "pending" }],
    });
    expectProblem(await stack.call("POST", `/payments/${order_ids[0]}/retry`), 409, "state_conflict");
    expect((await stack.call("GET", `/checkouts/${checkout_id}`)).json).toMatchObject({
      is_payment_done: false,
      payment_event_status: "PROCESSING",
    });
    expectProblem(await stack.call("GET", "/wallets/seller_waiting"), 404, "not_found");
  });

  test("a checkout of which one order fails is not done; the other order's money is booked (R245)", async () => {
    const { checkout_id, order_ids } = await acceptCheckout(
      stack,
      card("tok_chargeDeclinedInsufficientFunds"),
      [
        { seller_account: "seller_partly", amount: "10.00" },
        { seller_account: "seller_partly", amount: "20.00" },
      ],
    );
    for (const id of order_ids)
      expect(await orderIn(stack, id, "FAILED")).toMatchObject({ error_code: "insufficient_funds" });
    await stack.call("POST", `/payments/${order_ids[0]}/retry`, { card_token: "tok_visa_4242" });
    await orderIn(stack, order_ids[0], "SUCCESS");
    expect((await stack.call("GET", `/checkouts/${checkout_id}`)).json).toMatchObject({
      is_payment_done: false,
      payment_event_status: "PROCESSING",
    });
    expect((await stack.call("GET", "/wallets/seller_partly")).json).toMatchObject({
      balances: [{ currency: "USD", pending: "10.00" }],
    });
    expect(
      await stack.db.asOwner(
        "select count(*)::int as n from events where type = 'checkout.completed' and subject_id = $1",
        [checkout_id],
      ),
    ).toEqual([{ n: 0 }]);
  });

  test("a checkout is done, and says so once, when the last of its orders has succeeded", async () => {
    const { checkout_id, order_ids } = await acceptCheckout(stack, card("tok_fault_once_processing_error"), [
      {},
      {},
      {},
    ]);
    for (const id of order_ids) await orderIn(stack, id, "SUCCESS");
    expect((await stack.call("GET", `/checkouts/${checkout_id}`)).json).toMatchObject({
      is_payment_done: true,
      payment_event_status: "COMPLETE",
    });
    expect(
      await stack.db.asOwner(
        "select count(*)::int as n from events where type = 'checkout.completed' and subject_id = $1",
        [checkout_id],
      ),
    ).toEqual([{ n: 1 }]);
  });
});

test("202 means stored and queued: the answer does not wait for a slow PSP, and EXECUTING is seen meanwhile (R205, R207)", async () => {
  await stack.setFaults({ latency_ms: 400 });
  const { order_ids, reply } = await acceptCheckout(
    stack,
    {},
    Array.from({ length: 5 }, () => ({})),
  );
  expect(reply.json).toMatchObject({ payment_event_status: "PROCESSING" });
  expect(await stack.effects(`checkout_id=${String(reply.json["checkout_id"])}`)).toMatchObject({ count: 0 });
  await orderIn(stack, order_ids[0], "EXECUTING");
  // While the call runs, no transaction is open and nothing holds the row: it can be locked at once.
  await stack.db.asOwner("select 1 from payment_orders where payment_order_id = $1 for update nowait", [
    order_ids[0],
  ]);
  const open = await stack.db.asOwner(
    `select query from pg_stat_activity
      where datname = current_database() and state = 'idle in transaction' and xact_start < clock_timestamp() - interval '150 milliseconds'`,
  );
  expect(open).toEqual([]);
  await stack.setFaults({ latency_ms: 0 });
  for (const id of order_ids) await orderIn(stack, id, "SUCCESS");
});
